import { describe, expect, it, vi } from 'vitest';
import { OutboxRelay } from './outbox-relay';

const log = { log: vi.fn(), warn: vi.fn(), error: vi.fn() };
const eventBus = { publish: vi.fn() };

describe('OutboxRelay', () => {
  it('runs once more for what came during a run', async () => {
    let finish: () => void = () => undefined;
    const publishPending = vi
      .fn()
      .mockImplementationOnce(
        () => new Promise<number>((resolve) => (finish = () => resolve(1))),
      )
      .mockResolvedValue(1);
    const relay = new OutboxRelay({ publishPending }, eventBus, log);

    relay.trigger();
    relay.trigger();
    relay.trigger();
    expect(publishPending).toHaveBeenCalledOnce();

    finish();
    await vi.waitFor(() => expect(publishPending).toHaveBeenCalledTimes(2));
  });

  it('only warns when the broker is away', async () => {
    const publishPending = vi
      .fn()
      .mockRejectedValue(new Error('not connected'));
    const relay = new OutboxRelay({ publishPending }, eventBus, log);
    relay.trigger();
    await relay.beforeApplicationShutdown();
    expect(log.warn).toHaveBeenCalledWith(
      'Events stay unpublished: not connected',
      'OutboxRelay',
    );
  });
});
