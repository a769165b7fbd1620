import { describe, expect, it } from 'vitest';
import { formatAmount, isInvoiceEvent } from './invoices';

describe('isInvoiceEvent', () => {
  const event = { id: 'e1', type: 'invoice.created', invoiceId: 'i1' };

  it('accepts an event', () => {
    expect(isInvoiceEvent(event)).toBe(true);
  });

  it.each([
    ['another type', { ...event, type: 'invoice.paid' }],
    ['a missing invoice', { ...event, invoiceId: undefined }],
    ['null', null],
    ['a string', 'invoice.created'],
  ])('refuses %s', (_, value) => {
    expect(isInvoiceEvent(value)).toBe(false);
  });
});

describe('formatAmount', () => {
  it('turns cents into the currency', () => {
    expect(formatAmount({ amountCents: 123_456, currency: 'EUR' })).toBe(
      '€1,234.56',
    );
  });
});
