import { describeError, type HealthCheck } from '@all-erp/common';
import type { Answer } from '@all-erp/shared-types';
import {
  BadGatewayException,
  ServiceUnavailableException,
} from '@nestjs/common';
import type { Config } from './config';

const SYSTEM_PROMPT =
  'You help the users of a small ERP system. Answer in a few sentences.';

interface ChatCompletion {
  choices?: { message?: { content?: string | null } }[];
}

interface ModelList {
  data?: { id: string }[];
}

/** vLLM by its OpenAI-compatible API. */
export class LanguageModel implements HealthCheck {
  readonly name = 'vllm';
  readonly required: boolean;

  constructor(private readonly config: Config) {
    this.required = config.VLLM_REQUIRED;
  }

  async ask(question: string): Promise<Answer> {
    const { VLLM_MODEL, VLLM_TIMEOUT_MS, ANSWER_MAX_TOKENS } = this.config;
    let completion: ChatCompletion;
    try {
      completion = await this.request<ChatCompletion>(
        '/v1/chat/completions',
        VLLM_TIMEOUT_MS,
        {
          model: VLLM_MODEL,
          max_tokens: ANSWER_MAX_TOKENS,
          messages: [
            { role: 'system', content: SYSTEM_PROMPT },
            { role: 'user', content: question },
          ],
        },
      );
    } catch (error) {
      throw new ServiceUnavailableException(
        `The language model does not answer: ${describeError(error)}`,
      );
    }
    const answer = completion.choices?.[0]?.message?.content;
    if (!answer) {
      throw new BadGatewayException('The language model gave no answer');
    }
    return { answer, model: VLLM_MODEL };
  }

  /** vLLM answers before it has loaded its model, so ask for the model. */
  async check(): Promise<void> {
    const { data = [] } = await this.request<ModelList>('/v1/models', 2000);
    if (!data.some(({ id }) => id === this.config.VLLM_MODEL)) {
      throw new Error(`does not serve ${this.config.VLLM_MODEL}`);
    }
  }

  private async request<T>(
    path: string,
    timeoutMs: number,
    body?: object,
  ): Promise<T> {
    const { VLLM_URL, VLLM_API_KEY } = this.config;
    const response = await fetch(new URL(path, VLLM_URL), {
      method: body ? 'POST' : 'GET',
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(VLLM_API_KEY && { authorization: `Bearer ${VLLM_API_KEY}` }),
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error: unknown) => {
      // fetch() itself says only "fetch failed"; the reason is its cause.
      throw error instanceof TypeError && error.cause ? error.cause : error;
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as T;
  }
}
