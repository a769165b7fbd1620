/**
 * One line about an error. A connection refused on every address of a host is
 * an AggregateError whose own message is empty.
 */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.map(describeError).join(', ');
  }
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
