import {
  integer,
  matching,
  portField,
  text,
  withDefault,
  type Values,
} from '@all-erp/common';

export const configFields = {
  PORT: portField,
  MILVUS_ADDRESS: matching(
    /^(https?:\/\/)?[\w.-]+:\d+$/,
    'an address such as milvus:19530',
  ),
  /** `user:password` or an API key, where Milvus asks for one. */
  MILVUS_TOKEN: withDefault(text(), ''),
  VECTOR_COLLECTION: withDefault(
    matching(/^[A-Za-z_]\w*$/, 'letters, digits and underscores'),
    'texts',
  ),
  VECTOR_DIMENSION: withDefault(integer({ min: 2, max: 32_768 }), 8),
};

export type Config = Values<typeof configFields>;
