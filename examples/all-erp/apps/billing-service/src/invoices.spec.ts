import type { Database } from '@all-erp/database';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Invoices } from './invoices';

describe('Invoices', () => {
  const query = vi.fn();
  const invoices = new Invoices({
    transaction: (work: (client: { query: typeof query }) => unknown) =>
      work({ query }),
  } as unknown as Database);

  beforeEach(() => query.mockReset());

  it('writes invoice and event in the same transaction', async () => {
    query.mockResolvedValueOnce({
      rows: [
        {
          id: 'i1',
          customer: 'Ada',
          amount_cents: 1250,
          currency: 'EUR',
          created_at: new Date(0),
        },
      ],
    });
    expect(
      await invoices.create({
        customer: 'Ada',
        amountCents: 1250,
        currency: 'EUR',
      }),
    ).toMatchObject({ id: 'i1', amountCents: 1250 });
    expect(query.mock.calls[1]).toEqual([
      expect.stringContaining('INSERT INTO invoice_events'),
      [expect.any(String), 'invoice.created', 'i1'],
    ]);
  });

  describe('publishPending', () => {
    const rows = [
      { id: 'e1', type: 'invoice.created', invoice_id: 'i1' },
      { id: 'e2', type: 'invoice.created', invoice_id: 'i2' },
    ];

    it('marks what it has published', async () => {
      query.mockResolvedValueOnce({ rows });
      const publish = vi.fn().mockResolvedValue(undefined);
      expect(await invoices.publishPending(publish)).toBe(2);
      expect(publish).toHaveBeenCalledWith({
        id: 'e1',
        type: 'invoice.created',
        invoiceId: 'i1',
      });
      expect(query.mock.calls[1]?.[1]).toEqual([['e1', 'e2']]);
    });

    it('marks nothing when the broker refuses', async () => {
      query.mockResolvedValueOnce({ rows });
      await expect(
        invoices.publishPending(() => Promise.reject(new Error('no broker'))),
      ).rejects.toThrow('no broker');
      expect(query).toHaveBeenCalledOnce();
    });
  });
});
