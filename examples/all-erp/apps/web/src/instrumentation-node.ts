import { findConfigProblems } from './lib/services';

const problems = findConfigProblems();
if (problems.length > 0) {
  console.error(`Invalid configuration: ${problems.join('; ')}`);
  process.exit(1);
}
