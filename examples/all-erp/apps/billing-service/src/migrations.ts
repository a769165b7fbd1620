import type { Migration } from '@all-erp/database';

/** Only ever append: what was released has been applied somewhere. */
export const migrations: readonly Migration[] = [
  {
    id: '001-invoices',
    sql: `
      CREATE TABLE invoices (
        id uuid PRIMARY KEY,
        customer text NOT NULL,
        amount_cents integer NOT NULL CHECK (amount_cents > 0),
        currency char(3) NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`,
  },
  {
    id: '002-invoice-events',
    sql: `
      CREATE TABLE invoice_events (
        id uuid PRIMARY KEY,
        type text NOT NULL,
        invoice_id uuid NOT NULL REFERENCES invoices (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        published_at timestamptz,
        consumed_at timestamptz
      );
      CREATE INDEX invoice_events_invoice ON invoice_events (invoice_id);
      CREATE INDEX invoice_events_unpublished ON invoice_events (created_at)
        WHERE published_at IS NULL`,
  },
];
