import { BadRequestException } from '@nestjs/common';
import { describeProblems, type Fields, readFields } from './fields';

/** Reads what a request brings with it; all problems go into one HTTP 400. */
export function readInput<T extends object>(
  fields: Fields<T>,
  input: unknown,
): T {
  const source =
    typeof input === 'object' && input !== null
      ? (input as Record<string, unknown>)
      : {};
  const reading = readFields(fields, source);
  if (!reading.ok) {
    throw new BadRequestException(describeProblems(reading.problems));
  }
  return reading.values;
}
