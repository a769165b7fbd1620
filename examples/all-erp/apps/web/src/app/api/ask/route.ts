import { callService } from '../../../lib/services';

/** A language model takes longer than any other service. */
const TIMEOUT_MS = 90_000;

export async function POST(request: Request): Promise<Response> {
  try {
    const answer = await callService('assistant-service', '/ask', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: await request.text(),
      timeoutMs: TIMEOUT_MS,
    });
    return Response.json(await answer.json(), { status: answer.status });
  } catch {
    return Response.json(
      { message: 'The assistant cannot be reached' },
      { status: 502 },
    );
  }
}
