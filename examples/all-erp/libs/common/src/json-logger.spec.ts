import { describe, expect, it } from 'vitest';
import { JsonLogger } from './json-logger';

function record(write: (logger: JsonLogger) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(new JsonLogger('auth-service', (line) => lines.push(line)));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]+\n$/);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

describe('JsonLogger', () => {
  it('writes one line with level, service and context', () => {
    expect(record((log) => log.log('Starting', 'NestFactory'))).toMatchObject({
      level: 'info',
      service: 'auth-service',
      message: 'Starting',
      context: 'NestFactory',
      time: expect.stringMatching(/^\d{4}-.+Z$/),
    });
  });

  it('takes fields from an object', () => {
    expect(record((log) => log.log('Request', { status: 200 }))).toMatchObject({
      message: 'Request',
      status: 200,
    });
  });

  it('keeps the stack of an error', () => {
    const error = new Error('no route');
    expect(record((log) => log.error(error, 'Router'))).toMatchObject({
      level: 'error',
      message: 'no route',
      context: 'Router',
      stack: error.stack,
    });
  });

  it('tells a stack from a context', () => {
    const { stack } = new Error('no route');
    expect(record((log) => log.error('Failed', stack, 'Router'))).toMatchObject(
      { message: 'Failed', stack, context: 'Router' },
    );
  });
});
