import { describe, expect, it } from 'vitest';
import { readBearerToken } from './bearer';

describe('readBearerToken', () => {
  it('takes the token', () => {
    expect(readBearerToken('Bearer abc-_1')).toBe('abc-_1');
  });

  it.each([undefined, '', 'Basic abc', 'Bearer', 'Bearer a b'])(
    'refuses %j',
    (header) => {
      expect(() => readBearerToken(header)).toThrow('A bearer token');
    },
  );
});
