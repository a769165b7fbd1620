import {
  BadGatewayException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config } from './config';
import { LanguageModel } from './language-model';

const config: Config = {
  PORT: 3000,
  VLLM_URL: 'http://vllm:8000',
  VLLM_MODEL: 'small-model',
  VLLM_API_KEY: '',
  VLLM_REQUIRED: false,
  VLLM_TIMEOUT_MS: 1000,
  ANSWER_MAX_TOKENS: 64,
};

describe('LanguageModel', () => {
  const fetchMock = vi.fn<typeof fetch>();

  beforeEach(() => {
    fetchMock.mockReset();
    vi.stubGlobal('fetch', fetchMock);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('sends the question and gives the answer', async () => {
    fetchMock.mockResolvedValue(
      Response.json({ choices: [{ message: { content: 'In the archive.' } }] }),
    );
    const model = new LanguageModel({ ...config, VLLM_API_KEY: 'key' });
    expect(await model.ask('Where is invoice 7?')).toEqual({
      answer: 'In the archive.',
      model: 'small-model',
    });
    const [address, init] = fetchMock.mock.calls[0] ?? [];
    expect(String(address)).toBe('http://vllm:8000/v1/chat/completions');
    expect(init?.headers).toMatchObject({ authorization: 'Bearer key' });
    expect(JSON.parse(init?.body as string)).toMatchObject({
      model: 'small-model',
      max_tokens: 64,
      messages: [
        { role: 'system' },
        { role: 'user', content: 'Where is invoice 7?' },
      ],
    });
  });

  it('answers 503 with the reason when vLLM is away', async () => {
    fetchMock.mockRejectedValue(
      new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }),
    );
    const answer = new LanguageModel(config).ask('Hello?');
    await expect(answer).rejects.toBeInstanceOf(ServiceUnavailableException);
    await expect(answer).rejects.toThrow('ECONNREFUSED');
  });

  it('answers 502 when vLLM has no answer', async () => {
    fetchMock.mockResolvedValue(Response.json({ choices: [] }));
    await expect(new LanguageModel(config).ask('Hello?')).rejects.toThrow(
      BadGatewayException,
    );
  });

  it('is healthy only when its model is served', async () => {
    const model = new LanguageModel(config);
    fetchMock.mockResolvedValueOnce(
      Response.json({ data: [{ id: 'small-model' }] }),
    );
    await expect(model.check()).resolves.toBeUndefined();
    fetchMock.mockResolvedValueOnce(
      Response.json({ data: [{ id: 'other-model' }] }),
    );
    await expect(model.check()).rejects.toThrow('does not serve small-model');
    fetchMock.mockResolvedValueOnce(new Response('', { status: 401 }));
    await expect(model.check()).rejects.toThrow('HTTP 401');
  });

  it('is required only where the configuration says so', () => {
    expect(new LanguageModel(config).required).toBe(false);
    expect(new LanguageModel({ ...config, VLLM_REQUIRED: true }).required).toBe(
      true,
    );
  });
});
