import { randomUUID } from 'node:crypto';
import type { HealthReport, Session, User } from '@all-erp/shared-types';
import { beforeAll, describe, expect, it } from 'vitest';

const baseUrl = process.env['AUTH_SERVICE_URL'];
if (!baseUrl) throw new Error('AUTH_SERVICE_URL is missing');

function call(
  method: string,
  path: string,
  { token, body }: { token?: string; body?: object } = {},
): Promise<Response> {
  return fetch(new URL(path, baseUrl), {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });
}

async function callJson<T>(
  ...parameters: Parameters<typeof call>
): Promise<{ status: number; body: T }> {
  const response = await call(...parameters);
  return { status: response.status, body: (await response.json()) as T };
}

describe('auth-service', () => {
  // A new one every time: the database keeps those of earlier runs.
  const credentials = {
    email: `${randomUUID()}@example.org`,
    password: randomUUID(),
  };
  let user: User;
  let token: string;

  beforeAll(async () => {
    const created = await callJson<User>('POST', '/users', {
      body: credentials,
    });
    expect(created.status).toBe(201);
    user = created.body;

    const session = await callJson<Session>('POST', '/sessions', {
      body: credentials,
    });
    expect(session.status).toBe(201);
    token = session.body.token;
  });

  it('is ready with all its dependencies', async () => {
    const { status, body } = await callJson<HealthReport>(
      'GET',
      '/health/ready',
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'ok',
      dependencies: { postgres: { status: 'up' }, redis: { status: 'up' } },
    });
  });

  it('knows the user of a session', async () => {
    const { body } = await callJson<User>('GET', '/sessions/current', {
      token,
    });
    expect(body).toEqual(user);
    const users = await callJson<User[]>('GET', '/users', { token });
    expect(users.body).toContainEqual(user);
  });

  it('refuses an email that is taken, a wrong password and no session', async () => {
    const again = await call('POST', '/users', { body: credentials });
    expect(again.status).toBe(409);
    const wrong = await call('POST', '/sessions', {
      body: { ...credentials, password: 'wrong' },
    });
    expect(wrong.status).toBe(401);
    expect((await call('GET', '/users')).status).toBe(401);
  });

  it('names every problem of a request', async () => {
    const { status, body } = await callJson<{ message: string }>(
      'POST',
      '/users',
      { body: { email: 'nobody' } },
    );
    expect(status).toBe(400);
    expect(body.message).toBe(
      'email must be an email address; password is missing',
    );
  });

  it('ends a session', async () => {
    const session = await callJson<Session>('POST', '/sessions', {
      body: credentials,
    });
    const other = session.body.token;
    const ended = await call('DELETE', '/sessions/current', { token: other });
    expect(ended.status).toBe(204);
    const after = await call('GET', '/sessions/current', { token: other });
    expect(after.status).toBe(401);
  });
});
