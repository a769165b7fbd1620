import { randomUUID } from 'node:crypto';
import type { Database } from '@all-erp/database';
import type {
  Invoice,
  InvoiceDetails,
  InvoiceEvent,
  RecordedInvoiceEvent,
} from '@all-erp/shared-types';

export type NewInvoice = Pick<Invoice, 'customer' | 'amountCents' | 'currency'>;

interface InvoiceRow {
  id: string;
  customer: string;
  amount_cents: number;
  currency: string;
  created_at: Date;
}

interface EventRow {
  id: string;
  type: InvoiceEvent['type'];
  invoice_id: string;
  published_at: Date | null;
  consumed_at: Date | null;
}

export class Invoices {
  constructor(private readonly database: Database) {}

  /**
   * Writes the event together with the invoice (a transactional outbox):
   * neither can exist without the other, whatever the broker does meanwhile.
   */
  async create(invoice: NewInvoice): Promise<Invoice> {
    return this.database.transaction(async (client) => {
      const { rows } = await client.query<InvoiceRow>(
        `INSERT INTO invoices (id, customer, amount_cents, currency)
         VALUES ($1, $2, $3, $4) RETURNING *`,
        [randomUUID(), invoice.customer, invoice.amountCents, invoice.currency],
      );
      const row = rows[0] as InvoiceRow;
      await client.query(
        'INSERT INTO invoice_events (id, type, invoice_id) VALUES ($1, $2, $3)',
        [randomUUID(), 'invoice.created', row.id],
      );
      return toInvoice(row);
    });
  }

  async list(): Promise<Invoice[]> {
    const rows = await this.database.query<InvoiceRow>(
      'SELECT * FROM invoices ORDER BY created_at DESC LIMIT 100',
    );
    return rows.map(toInvoice);
  }

  async find(id: string): Promise<InvoiceDetails | undefined> {
    const [row] = await this.database.query<InvoiceRow>(
      'SELECT * FROM invoices WHERE id = $1',
      [id],
    );
    if (!row) return undefined;
    const events = await this.database.query<EventRow>(
      'SELECT * FROM invoice_events WHERE invoice_id = $1 ORDER BY created_at',
      [id],
    );
    return { ...toInvoice(row), events: events.map(toRecordedEvent) };
  }

  /** A second delivery of the same event changes nothing. */
  async markConsumed({ id }: InvoiceEvent): Promise<void> {
    await this.database.query(
      `UPDATE invoice_events SET consumed_at = now()
       WHERE id = $1 AND consumed_at IS NULL`,
      [id],
    );
  }

  /**
   * Publishes the oldest events that still have to be, and marks them. Other
   * replicas skip the rows that this one works on.
   */
  async publishPending(
    publish: (event: InvoiceEvent) => Promise<void>,
  ): Promise<number> {
    return this.database.transaction(async (client) => {
      const { rows } = await client.query<EventRow>(
        `SELECT * FROM invoice_events WHERE published_at IS NULL
         ORDER BY created_at LIMIT 50 FOR UPDATE SKIP LOCKED`,
      );
      for (const row of rows) await publish(toEvent(row));
      await client.query(
        'UPDATE invoice_events SET published_at = now() WHERE id = ANY ($1)',
        [rows.map(({ id }) => id)],
      );
      return rows.length;
    });
  }
}

function toInvoice(row: InvoiceRow): Invoice {
  return {
    id: row.id,
    customer: row.customer,
    amountCents: row.amount_cents,
    currency: row.currency,
    createdAt: row.created_at.toISOString(),
  };
}

function toEvent({ id, type, invoice_id }: EventRow): InvoiceEvent {
  return { id, type, invoiceId: invoice_id };
}

function toRecordedEvent(row: EventRow): RecordedInvoiceEvent {
  return {
    ...toEvent(row),
    publishedAt: row.published_at?.toISOString() ?? null,
    consumedAt: row.consumed_at?.toISOString() ?? null,
  };
}
