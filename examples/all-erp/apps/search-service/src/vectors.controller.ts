import {
  integer,
  matching,
  numbers,
  readInput,
  text,
  withDefault,
} from '@all-erp/common';
import type { VectorMatch, VectorRecord } from '@all-erp/shared-types';
import { VectorStore } from '@all-erp/vector-store';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';

// The id becomes part of an expression of Milvus, which must not be extended by it.
const idField = matching(
  /^[\w.-]{1,100}$/,
  'up to 100 letters, digits, ".", "_" or "-"',
);

export const VECTOR_DIMENSION = Symbol('VECTOR_DIMENSION');

@Controller('vectors')
export class VectorsController {
  constructor(
    private readonly store: VectorStore,
    @Inject(VECTOR_DIMENSION) private readonly dimension: number,
  ) {}

  /** Adds a record, or replaces the one with the same id. */
  @Post()
  async upsert(@Body() body: unknown): Promise<VectorRecord> {
    const record = readInput(
      {
        id: idField,
        // Milvus counts bytes, of which a character has up to four.
        text: text({ max: 1000 }),
        vector: numbers(this.dimension),
      },
      body,
    );
    await this.store.upsert(record);
    return record;
  }

  @Post('search')
  @HttpCode(200)
  search(@Body() body: unknown): Promise<VectorMatch[]> {
    const { vector, limit } = readInput(
      {
        vector: numbers(this.dimension),
        limit: withDefault(integer({ min: 1, max: 100 }), 10),
      },
      body,
    );
    return this.store.search(vector, limit);
  }

  @Get(':id')
  async get(@Param() parameters: unknown): Promise<VectorRecord> {
    const { id } = readInput({ id: idField }, parameters);
    const record = await this.store.get(id);
    if (!record) throw new NotFoundException('No such record');
    return record;
  }
}
