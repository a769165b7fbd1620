import type { LoggerService } from '@nestjs/common';

type Level = 'info' | 'warn' | 'error' | 'fatal';

/** What a library needs of a logger. */
export type Log = Pick<JsonLogger, 'log' | 'warn' | 'error'>;

/** Writes one JSON object a line to stdout, for NestJS and for our own code. */
export class JsonLogger implements LoggerService {
  constructor(
    private readonly service: string,
    private readonly write: (line: string) => void = (line) => {
      process.stdout.write(line);
    },
  ) {}

  log(message: unknown, ...details: unknown[]): void {
    this.writeEntry('info', message, details);
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.writeEntry('warn', message, details);
  }

  error(message: unknown, ...details: unknown[]): void {
    this.writeEntry('error', message, details);
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.writeEntry('fatal', message, details);
  }

  private writeEntry(level: Level, message: unknown, details: unknown[]): void {
    const entry: Record<string, unknown> = {
      time: new Date().toISOString(),
      level,
      service: this.service,
      message: message instanceof Error ? message.message : message,
    };
    for (const detail of [message, ...details]) {
      if (detail instanceof Error) {
        entry['stack'] = detail.stack;
      } else if (detail === message) {
        continue;
      } else if (typeof detail === 'string') {
        // NestJS passes a stack and the name of the context as plain strings.
        entry[/\n\s+at /.test(detail) ? 'stack' : 'context'] = detail;
      } else if (typeof detail === 'object') {
        Object.assign(entry, detail);
      }
    }
    this.write(`${JSON.stringify(entry)}\n`);
  }
}
