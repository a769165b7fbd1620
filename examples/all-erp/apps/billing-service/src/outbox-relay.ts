import { describeError, type Log } from '@all-erp/common';
import type { EventBus } from '@all-erp/messaging';
import type { Invoices } from './invoices';

const INTERVAL_MS = 5000;

/** Publishes the events of the outbox: at once when told, else every few seconds. */
export class OutboxRelay {
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;
  private again = false;

  constructor(
    private readonly invoices: Pick<Invoices, 'publishPending'>,
    private readonly eventBus: Pick<EventBus, 'publish'>,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.timer = setInterval(() => this.trigger(), INTERVAL_MS);
  }

  trigger(): void {
    // An event that came during a run may be one that this run did not see.
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = this.relay().finally(() => {
      this.running = undefined;
      if (this.again) {
        this.again = false;
        this.trigger();
      }
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.again = false;
    await this.running;
  }

  private async relay(): Promise<void> {
    try {
      await this.invoices.publishPending((event) =>
        this.eventBus.publish(event.type, event),
      );
    } catch (error) {
      this.log.warn(
        `Events stay unpublished: ${describeError(error)}`,
        'OutboxRelay',
      );
    }
  }
}
