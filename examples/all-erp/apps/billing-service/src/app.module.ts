import {
  HealthController,
  type Log,
  provideHealthChecks,
} from '@all-erp/common';
import { Database } from '@all-erp/database';
import { EventBus } from '@all-erp/messaging';
import { isInvoiceEvent } from '@all-erp/shared-types';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from './config';
import { Invoices } from './invoices';
import { InvoicesController } from './invoices.controller';
import { OutboxRelay } from './outbox-relay';

@Module({})
export class AppModule {
  static with(config: Config, log: Log): DynamicModule {
    return {
      module: AppModule,
      controllers: [HealthController, InvoicesController],
      providers: [
        {
          provide: Database,
          useFactory: () => new Database(config.DATABASE_URL, log),
        },
        {
          provide: Invoices,
          inject: [Database],
          useFactory: (database: Database) => new Invoices(database),
        },
        {
          provide: EventBus,
          inject: [Invoices],
          useFactory: (invoices: Invoices) =>
            new EventBus({
              url: config.RABBITMQ_URL,
              exchange: config.EVENT_EXCHANGE,
              subscriptions: [
                {
                  queue: 'billing-service.invoice-events',
                  pattern: 'invoice.*',
                  handle: async (event) => {
                    if (!isInvoiceEvent(event)) {
                      throw new Error('Not an invoice event');
                    }
                    await invoices.markConsumed(event);
                  },
                },
              ],
              log,
            }),
        },
        {
          provide: OutboxRelay,
          inject: [Invoices, EventBus],
          useFactory: (invoices: Invoices, eventBus: EventBus) =>
            new OutboxRelay(invoices, eventBus, log),
        },
        provideHealthChecks(Database, EventBus),
      ],
    };
  }
}
