import { reportHealth } from '../../../../lib/services';

export const dynamic = 'force-dynamic';

export async function GET(): Promise<Response> {
  const report = await reportHealth();
  return Response.json(report, {
    status: report.status === 'unavailable' ? 503 : 200,
  });
}
