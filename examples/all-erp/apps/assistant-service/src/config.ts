import {
  flag,
  integer,
  portField,
  text,
  url,
  withDefault,
  type Values,
} from '@all-erp/common';

export const configFields = {
  PORT: portField,
  VLLM_URL: url('http', 'https'),
  /** The name under which vLLM serves the model. */
  VLLM_MODEL: text(),
  VLLM_API_KEY: withDefault(text(), ''),
  /** Whether the service is ready only with vLLM, which needs a GPU. */
  VLLM_REQUIRED: withDefault(flag(), false),
  VLLM_TIMEOUT_MS: withDefault(integer({ min: 100 }), 60_000),
  ANSWER_MAX_TOKENS: withDefault(integer({ min: 1 }), 512),
};

export type Config = Values<typeof configFields>;
