import { describe, expect, it } from 'vitest';
import {
  describeProblems,
  flag,
  integer,
  numbers,
  readFields,
  text,
  url,
  withDefault,
} from './fields';

const fields = {
  NAME: text({ max: 5 }),
  PORT: withDefault(integer({ min: 1, max: 65_535 }), 3000),
  STORE: url('redis', 'rediss'),
};

describe('readFields', () => {
  it('reads values and falls back to defaults', () => {
    expect(
      readFields(fields, { NAME: 'auth', STORE: 'redis://store:6379' }),
    ).toEqual({
      ok: true,
      values: { NAME: 'auth', PORT: 3000, STORE: 'redis://store:6379' },
    });
  });

  it('reports all problems at once', () => {
    const reading = readFields(fields, { NAME: '', PORT: 'http' });
    expect(reading.ok).toBe(false);
    expect(!reading.ok && describeProblems(reading.problems)).toBe(
      'NAME is missing; PORT must be a whole number from 1 to 65535; STORE is missing',
    );
  });

  it('does not repeat a URL, which may hold a password', () => {
    const reading = readFields(
      { STORE: url('redis', 'rediss') },
      { STORE: 'http://:secret@store' },
    );
    expect(reading).toEqual({
      ok: false,
      problems: [
        {
          name: 'STORE',
          problem: 'must be a URL starting with redis:// or rediss://',
        },
      ],
    });
  });
});

describe('fields', () => {
  it.each([
    [flag(), 'true', true],
    [flag(), false, false],
    [integer(), '12', 12],
    [numbers(2), [0.5, 1], [0.5, 1]],
  ])('accepts %#', (field, raw, value) => {
    expect(field.parse(raw)).toEqual(value);
  });

  it.each([
    [flag(), 'yes'],
    [integer(), '1.5'],
    [integer({ max: 3 }), 4],
    [numbers(2), [1]],
    [numbers(2), [1, '2']],
    [text({ min: 3 }), 'ab'],
    [text(), 7],
  ])('refuses %#', (field, raw) => {
    expect(() => field.parse(raw)).toThrow(/^must /);
  });
});
