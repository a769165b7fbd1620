import { ServiceUnavailableException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { type HealthCheck, HealthController, reportHealth } from './health';

const up: HealthCheck = { name: 'postgres', check: () => Promise.resolve() };
const down: HealthCheck = {
  name: 'redis',
  check: () => Promise.reject(new Error('connection refused')),
};
const silent: HealthCheck = {
  name: 'rabbitmq',
  check: () => new Promise(() => undefined),
};

describe('reportHealth', () => {
  it('is ok when every dependency answers', async () => {
    expect(await reportHealth([up])).toMatchObject({
      status: 'ok',
      dependencies: { postgres: { status: 'up', required: true } },
    });
  });

  it('names the dependency that fails', async () => {
    expect(await reportHealth([up, down])).toMatchObject({
      status: 'unavailable',
      dependencies: {
        postgres: { status: 'up' },
        redis: { status: 'down', error: 'connection refused' },
      },
    });
  });

  it('is degraded when only an optional dependency fails', async () => {
    expect(
      await reportHealth([up, { ...down, required: false }]),
    ).toMatchObject({ status: 'degraded' });
  });

  it('does not wait for a dependency that never answers', async () => {
    expect(await reportHealth([silent], 10)).toMatchObject({
      status: 'unavailable',
      dependencies: { rabbitmq: { error: 'no answer within 10 ms' } },
    });
  });
});

describe('HealthController', () => {
  it('is alive whatever its dependencies do', () => {
    expect(new HealthController([down]).live()).toEqual({ status: 'ok' });
  });

  it('answers 503 with the report when it is not ready', async () => {
    const answer = new HealthController([down]).ready();
    await expect(answer).rejects.toBeInstanceOf(ServiceUnavailableException);
    await expect(answer).rejects.toMatchObject({
      response: { dependencies: { redis: { status: 'down' } } },
    });
  });
});
