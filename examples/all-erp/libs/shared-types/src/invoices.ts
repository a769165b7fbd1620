export interface Invoice {
  id: string;
  customer: string;
  amountCents: number;
  currency: string;
  createdAt: string;
}

export interface InvoiceEvent {
  id: string;
  type: 'invoice.created';
  invoiceId: string;
}

/** An event as billing-service keeps it, with its way through the broker. */
export interface RecordedInvoiceEvent extends InvoiceEvent {
  publishedAt: string | null;
  consumedAt: string | null;
}

export interface InvoiceDetails extends Invoice {
  events: RecordedInvoiceEvent[];
}

export function isInvoiceEvent(value: unknown): value is InvoiceEvent {
  if (typeof value !== 'object' || value === null) return false;
  const event = value as Partial<Record<keyof InvoiceEvent, unknown>>;
  return (
    event.type === 'invoice.created' &&
    typeof event.id === 'string' &&
    typeof event.invoiceId === 'string'
  );
}

export function formatAmount({
  amountCents,
  currency,
}: Pick<Invoice, 'amountCents' | 'currency'>): string {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(
    amountCents / 100,
  );
}
