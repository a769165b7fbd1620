/** Reads one value, or throws an error that says what is wrong with it. */
export interface Field<T> {
  parse(raw: unknown): T;
  /** Used where the value is absent; without it the value is required. */
  default?: T;
}

export type Fields<T> = { [K in keyof T]: Field<T[K]> };

/** The values that fields read: `Values<typeof fields>`. */
export type Values<F> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

export interface Problem {
  name: string;
  problem: string;
}

export type Reading<T> =
  { ok: true; values: T } | { ok: false; problems: Problem[] };

/**
 * Reads all fields and collects every problem, so that whoever has to correct
 * the input sees them together and not one at a time.
 */
export function readFields<T extends object>(
  fields: Fields<T>,
  source: Readonly<Record<string, unknown>>,
): Reading<T> {
  const problems: Problem[] = [];
  const values: Partial<T> = {};

  for (const name of Object.keys(fields) as (keyof T & string)[]) {
    const field = fields[name];
    const raw = source[name];

    // Compose and Helm pass a variable that is not set as an empty one.
    if (raw === undefined || raw === null || raw === '') {
      if ('default' in field) values[name] = field.default;
      else problems.push({ name, problem: 'is missing' });
      continue;
    }

    try {
      values[name] = field.parse(raw);
    } catch (error) {
      problems.push({ name, problem: (error as Error).message });
    }
  }

  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, values: values as T };
}

export function describeProblems(problems: readonly Problem[]): string {
  return problems.map(({ name, problem }) => `${name} ${problem}`).join('; ');
}

export function withDefault<T>(field: Field<T>, value: T): Field<T> {
  return { ...field, default: value };
}

export function text({ min = 1, max = 1000 } = {}): Field<string> {
  return {
    parse(raw) {
      if (typeof raw !== 'string') throw new Error('must be a string');
      if (raw.length < min || raw.length > max) {
        throw new Error(`must have ${min} to ${max} characters`);
      }
      return raw;
    },
  };
}

export function integer({
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
} = {}): Field<number> {
  return {
    parse(raw) {
      const value = typeof raw === 'string' ? Number(raw) : raw;
      if (
        typeof value !== 'number' ||
        !Number.isInteger(value) ||
        value < min ||
        value > max
      ) {
        throw new Error(`must be a whole number from ${min} to ${max}`);
      }
      return value;
    },
  };
}

export function flag(): Field<boolean> {
  return {
    parse(raw) {
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      throw new Error('must be true or false');
    },
  };
}

/** A URL with one of the protocols; the value itself stays out of errors, it may hold a password. */
export function url(...protocols: string[]): Field<string> {
  return {
    parse(raw) {
      if (
        typeof raw !== 'string' ||
        !URL.canParse(raw) ||
        !protocols.includes(new URL(raw).protocol.slice(0, -1))
      ) {
        throw new Error(
          `must be a URL starting with ${protocols.join(':// or ')}://`,
        );
      }
      return raw;
    },
  };
}

export function matching(pattern: RegExp, meaning: string): Field<string> {
  return {
    parse(raw) {
      if (typeof raw !== 'string' || !pattern.test(raw)) {
        throw new Error(`must be ${meaning}`);
      }
      return raw;
    },
  };
}

export function numbers(length: number): Field<number[]> {
  return {
    parse(raw) {
      if (
        !Array.isArray(raw) ||
        raw.length !== length ||
        !raw.every((value) => Number.isFinite(value))
      ) {
        throw new Error(`must be an array of ${length} numbers`);
      }
      return raw as number[];
    },
  };
}
