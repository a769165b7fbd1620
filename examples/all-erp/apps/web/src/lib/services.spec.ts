import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  callService,
  findConfigProblems,
  reportHealth,
  serviceVariables,
} from './services';

const env = Object.fromEntries(
  Object.entries(serviceVariables).map(([service, variable]) => [
    variable,
    `http://${service}:3000`,
  ]),
);

describe('findConfigProblems', () => {
  it('finds none in a complete configuration', () => {
    expect(findConfigProblems(env)).toEqual([]);
  });

  it('names every variable that is missing or wrong', () => {
    expect(
      findConfigProblems({
        ...env,
        AUTH_SERVICE_URL: undefined,
        SEARCH_SERVICE_URL: 'search-service:3000',
      }),
    ).toEqual([
      'AUTH_SERVICE_URL is missing',
      'SEARCH_SERVICE_URL must be a URL starting with http:// or https://',
    ]);
  });
});

describe('with services', () => {
  const fetchMock = vi.fn<typeof fetch>();

  beforeEach(() => {
    vi.stubGlobal('fetch', fetchMock);
    for (const [variable, url] of Object.entries(env))
      vi.stubEnv(variable, url);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
    fetchMock.mockReset();
  });

  it('calls a service by the URL of its variable', async () => {
    fetchMock.mockResolvedValue(Response.json([]));
    await callService('billing-service', '/invoices');
    expect(String(fetchMock.mock.calls[0]?.[0])).toBe(
      'http://billing-service:3000/invoices',
    );
  });

  it('is degraded, and names the service, when one is away', async () => {
    fetchMock.mockImplementation((address) =>
      String(address).includes('search-service')
        ? Promise.reject(
            new TypeError('fetch failed', { cause: new Error('refused') }),
          )
        : Promise.resolve(Response.json({ status: 'ok', dependencies: {} })),
    );
    expect(await reportHealth()).toMatchObject({
      status: 'degraded',
      dependencies: {
        'auth-service': { status: 'up' },
        'search-service': { status: 'down', error: 'refused' },
      },
    });
  });
});
