import type { DependencyHealth, HealthReport } from '@all-erp/shared-types';

/** The services that this application calls, and the variable with the URL of each one. */
export const serviceVariables = {
  'auth-service': 'AUTH_SERVICE_URL',
  'billing-service': 'BILLING_SERVICE_URL',
  'search-service': 'SEARCH_SERVICE_URL',
  'assistant-service': 'ASSISTANT_SERVICE_URL',
} as const;

export type ServiceName = keyof typeof serviceVariables;

const serviceNames = Object.keys(serviceVariables) as ServiceName[];

/** Everything that is wrong with the configuration, one sentence each. */
export function findConfigProblems(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  return Object.values(serviceVariables).flatMap((variable) => {
    const value = env[variable];
    if (!value) return [`${variable} is missing`];
    return /^https?:\/\//.test(value) && URL.canParse(value)
      ? []
      : [`${variable} must be a URL starting with http:// or https://`];
  });
}

export async function callService(
  service: ServiceName,
  path: string,
  { timeoutMs = 3000, ...init }: RequestInit & { timeoutMs?: number } = {},
): Promise<Response> {
  const base = process.env[serviceVariables[service]];
  if (!base) throw new Error(`${serviceVariables[service]} is missing`);
  return fetch(new URL(path, base), {
    cache: 'no-store',
    signal: AbortSignal.timeout(timeoutMs),
    ...init,
  });
}

/** What a service says about itself, or why it says nothing. */
export async function readStatus(
  service: ServiceName,
): Promise<HealthReport | { status: 'unreachable'; error: string }> {
  try {
    const response = await callService(service, '/health/ready');
    return (await response.json()) as HealthReport;
  } catch (error) {
    return { status: 'unreachable', error: describeFailure(error as Error) };
  }
}

/** fetch() itself says only "fetch failed"; the reason is its cause. */
function describeFailure({ message, cause }: Error): string {
  return (cause instanceof Error && cause.message) || message;
}

export async function readStatuses() {
  return Promise.all(
    serviceNames.map(
      async (service) => [service, await readStatus(service)] as const,
    ),
  );
}

/**
 * The services are not required: a page that says which one is missing is
 * worth more than none.
 */
export async function reportHealth(): Promise<HealthReport> {
  const entries = await Promise.all(
    serviceNames.map(async (service) => {
      const started = performance.now();
      const status = await readStatus(service);
      const up = status.status === 'ok' || status.status === 'degraded';
      const health: DependencyHealth = {
        status: up ? 'up' : 'down',
        required: false,
        latencyMs: Math.round(performance.now() - started),
        ...(!up && {
          error: 'error' in status ? status.error : status.status,
        }),
      };
      return [service, health] as const;
    }),
  );
  return {
    status: entries.every(([, { status }]) => status === 'up')
      ? 'ok'
      : 'degraded',
    dependencies: Object.fromEntries(entries),
  };
}
