import type { VectorStore } from '@all-erp/vector-store';
import { BadRequestException, NotFoundException } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { VectorsController } from './vectors.controller';

describe('VectorsController', () => {
  const store = { upsert: vi.fn(), search: vi.fn(), get: vi.fn() };
  const controller = new VectorsController(store as unknown as VectorStore, 2);

  beforeEach(() => vi.resetAllMocks());

  it('stores a record', async () => {
    const record = { id: 'a', text: 'An invoice', vector: [0.5, 1] };
    expect(await controller.upsert({ ...record, more: 1 })).toEqual(record);
    expect(store.upsert).toHaveBeenCalledWith(record);
  });

  it('refuses a vector of another dimension before Milvus sees it', async () => {
    await expect(
      controller.upsert({ id: 'a', text: 'An invoice', vector: [1, 2, 3] }),
    ).rejects.toThrow('vector must be an array of 2 numbers');
    expect(() => controller.search({ vector: [1] })).toThrow(
      BadRequestException,
    );
    expect(store.upsert).not.toHaveBeenCalled();
    expect(store.search).not.toHaveBeenCalled();
  });

  it('searches for ten matches unless told otherwise', async () => {
    await controller.search({ vector: [1, 0] });
    await controller.search({ vector: [1, 0], limit: 3 });
    expect(store.search.mock.calls).toEqual([
      [[1, 0], 10],
      [[1, 0], 3],
    ]);
  });

  it('answers 404 for an unknown id', async () => {
    await expect(controller.get({ id: 'b' })).rejects.toBeInstanceOf(
      NotFoundException,
    );
  });

  it('lets no id through that could extend an expression', async () => {
    await expect(controller.get({ id: 'b"] or id in ["a' })).rejects.toThrow(
      BadRequestException,
    );
    expect(store.get).not.toHaveBeenCalled();
  });
});
