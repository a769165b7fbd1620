import { formatAmount, type Invoice } from '@all-erp/shared-types';
import { callService, readStatuses } from '../lib/services';
import { AskForm } from './ask-form';

// The page shows what the services say now, not what they said at build time.
export const dynamic = 'force-dynamic';

async function readInvoices(): Promise<Invoice[] | undefined> {
  try {
    const response = await callService('billing-service', '/invoices');
    return response.ok ? ((await response.json()) as Invoice[]) : undefined;
  } catch {
    return undefined;
  }
}

export default async function Page() {
  const [statuses, invoices] = await Promise.all([
    readStatuses(),
    readInvoices(),
  ]);
  return (
    <main>
      <h1>All-ERP</h1>

      <h2>Services</h2>
      <table>
        <tbody>
          {statuses.map(([service, { status }]) => (
            <tr key={service}>
              <th scope="row">{service}</th>
              <td>{status}</td>
            </tr>
          ))}
        </tbody>
      </table>

      <h2>Invoices</h2>
      {invoices ? (
        <ul>
          {invoices.map((invoice) => (
            <li key={invoice.id}>
              {invoice.customer}: {formatAmount(invoice)}
            </li>
          ))}
        </ul>
      ) : (
        <p>Billing does not answer.</p>
      )}

      <h2>Assistant</h2>
      <AskForm />
    </main>
  );
}
