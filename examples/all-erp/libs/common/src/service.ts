import type { IncomingMessage, ServerResponse } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { ConfigError } from './config';
import { JsonLogger } from './json-logger';

/**
 * Runs the main function of a service or of a job. Whatever it throws ends the
 * process with a log entry and exit code 1.
 */
export function run(
  service: string,
  main: (logger: JsonLogger) => Promise<void>,
): void {
  const logger = new JsonLogger(service);
  main(logger).catch((error: unknown) => {
    // A stack helps nobody who forgot a variable.
    logger.fatal(error instanceof ConfigError ? error.message : error);
    // Connections that are already open would keep the process alive.
    process.exit(1);
  });
}

export async function listen(
  app: INestApplication,
  port: number,
  logger: JsonLogger,
): Promise<void> {
  app.use(logRequests(logger));
  // As PID 1 of a container the process would ignore the signal that NestJS
  // sends to itself after the shutdown; it has to exit by itself.
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  await app.listen(port);
  logger.log(`Listening on port ${port}`);
}

function logRequests(logger: JsonLogger) {
  return (
    request: IncomingMessage,
    response: ServerResponse,
    next: () => void,
  ): void => {
    const started = performance.now();
    const { method, url } = request;
    response.on('finish', () => {
      // Probes come every few seconds and would bury everything else.
      if (url?.startsWith('/health/') && response.statusCode < 500) {
        return;
      }
      logger.log('Request', {
        method,
        url,
        status: response.statusCode,
        durationMs: Math.round(performance.now() - started),
      });
    });
    next();
  };
}
