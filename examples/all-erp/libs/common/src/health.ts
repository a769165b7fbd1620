import {
  Controller,
  Get,
  Inject,
  type Provider,
  ServiceUnavailableException,
} from '@nestjs/common';
import type { InjectionToken } from '@nestjs/common';
import type { DependencyHealth, HealthReport } from '@all-erp/shared-types';
import { describeError } from './errors';

export interface HealthCheck {
  readonly name: string;
  /** A service stays ready, but degraded, without a dependency that is not required. */
  readonly required?: boolean;
  /** Asks the dependency itself; rejects when it does not answer. */
  check(): Promise<void>;
}

const HEALTH_CHECKS = Symbol('HEALTH_CHECKS');

/** Below the timeout that probes usually have, so that the answer names the culprit. */
const CHECK_TIMEOUT_MS = 2000;

export async function reportHealth(
  checks: readonly HealthCheck[],
  timeoutMs = CHECK_TIMEOUT_MS,
): Promise<HealthReport> {
  const entries = await Promise.all(
    checks.map(
      async (check) => [check.name, await runCheck(check, timeoutMs)] as const,
    ),
  );
  const failed = entries
    .map(([, health]) => health)
    .filter(({ status }) => status === 'down');
  return {
    status: failed.some(({ required }) => required)
      ? 'unavailable'
      : failed.length > 0
        ? 'degraded'
        : 'ok',
    dependencies: Object.fromEntries(entries),
  };
}

async function runCheck(
  check: HealthCheck,
  timeoutMs: number,
): Promise<DependencyHealth> {
  const required = check.required ?? true;
  const started = performance.now();
  const latencyMs = () => Math.round(performance.now() - started);
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      check.check(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`no answer within ${timeoutMs} ms`)),
          timeoutMs,
        );
      }),
    ]);
    return { status: 'up', required, latencyMs: latencyMs() };
  } catch (error) {
    return {
      status: 'down',
      required,
      latencyMs: latencyMs(),
      error: describeError(error),
    };
  } finally {
    clearTimeout(timer);
  }
}

@Controller('health')
export class HealthController {
  constructor(
    @Inject(HEALTH_CHECKS) private readonly checks: readonly HealthCheck[],
  ) {}

  /** Says only that the process answers: restarting it cures no database. */
  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  async ready(): Promise<HealthReport> {
    const report = await reportHealth(this.checks);
    if (report.status === 'unavailable') {
      throw new ServiceUnavailableException(report);
    }
    return report;
  }
}

/** The providers, each one a HealthCheck, that HealthController asks. */
export function provideHealthChecks(
  ...checks: InjectionToken<HealthCheck>[]
): Provider {
  return {
    provide: HEALTH_CHECKS,
    inject: checks,
    useFactory: (...instances: HealthCheck[]) => instances,
  };
}
