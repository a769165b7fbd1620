export type HealthStatus = 'ok' | 'degraded' | 'unavailable';

export interface DependencyHealth {
  status: 'up' | 'down';
  /** Without a required dependency the service is not ready. */
  required: boolean;
  latencyMs: number;
  error?: string;
}

export interface HealthReport {
  status: HealthStatus;
  dependencies: Record<string, DependencyHealth>;
}
