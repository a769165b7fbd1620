import {
  describeProblems,
  type Fields,
  integer,
  readFields,
  withDefault,
} from './fields';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The port that a service listens on, in every service's configuration. */
export const portField = withDefault(integer({ min: 1, max: 65_535 }), 3000);

export function loadConfig<T extends object>(
  fields: Fields<T>,
  env: NodeJS.ProcessEnv = process.env,
): T {
  const reading = readFields(fields, env);
  if (!reading.ok) {
    throw new ConfigError(
      `Invalid configuration: ${describeProblems(reading.problems)}`,
    );
  }
  return reading.values;
}
