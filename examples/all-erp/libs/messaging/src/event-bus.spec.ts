import { EventEmitter } from 'node:events';
import type { ChannelModel, ConsumeMessage, RecoveryOptions } from 'amqplib';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { EventBus } from './event-bus';

const amqp = vi.hoisted(() => ({ connect: vi.fn() }));
vi.mock('amqplib', () => amqp);

const log = { log: vi.fn(), warn: vi.fn(), error: vi.fn() };

function message(content: string, redelivered = false): ConsumeMessage {
  return {
    content: Buffer.from(content),
    fields: { redelivered },
  } as ConsumeMessage;
}

function fakeChannel() {
  let deliver: (message: ConsumeMessage | null) => void = () => undefined;
  return Object.assign(new EventEmitter(), {
    assertExchange: vi.fn(),
    assertQueue: vi.fn(),
    bindQueue: vi.fn(),
    checkExchange: vi.fn(),
    prefetch: vi.fn(),
    publish: vi.fn(),
    ack: vi.fn(),
    nack: vi.fn(),
    cancel: vi.fn(),
    consume: vi.fn((_: string, listener: typeof deliver) => {
      deliver = listener;
      return { consumerTag: 'tag' };
    }),
    deliver: (incoming: ConsumeMessage | null) => deliver(incoming),
  });
}

describe('EventBus', () => {
  const handle = vi.fn<(event: unknown) => Promise<void>>();
  let channel: ReturnType<typeof fakeChannel>;
  let bus: EventBus;
  let connection: EventEmitter;
  let setUp: () => Promise<void>;
  const closeModel = vi.fn<() => Promise<void>>();

  beforeEach(async () => {
    vi.resetAllMocks();
    closeModel.mockResolvedValue();
    channel = fakeChannel();
    connection = new EventEmitter();
    amqp.connect.mockImplementation(
      (_: string, { recovery }: { recovery: RecoveryOptions }) => {
        const setup = recovery.setup as (model: ChannelModel) => Promise<void>;
        setUp = () =>
          setup({
            createConfirmChannel: () => Promise.resolve(channel),
            close: closeModel,
          } as unknown as ChannelModel);
        return Promise.resolve(connection);
      },
    );
    bus = new EventBus({
      url: 'amqp://broker',
      exchange: 'events',
      subscriptions: [{ queue: 'billing', pattern: 'invoice.*', handle }],
      log,
    });
    await bus.onModuleInit();
  });

  it('is not healthy and does not publish before it is connected', async () => {
    await expect(bus.check()).rejects.toThrow('not connected');
    await expect(bus.publish('invoice.created', {})).rejects.toThrow(
      'not connected',
    );
  });

  it('is not healthy after it has lost the connection', async () => {
    await setUp();
    await bus.check();
    connection.emit('disconnect', new Error('gone'));
    await expect(bus.check()).rejects.toThrow('not connected');
  });

  it.each([
    ['its channel fails', () => channel.emit('error', new Error('404'))],
    ['its queue is deleted', () => channel.deliver(null)],
  ])('connects anew when %s', async (_, fail) => {
    await setUp();
    fail();
    expect(closeModel).toHaveBeenCalledOnce();
  });

  it('rejects when the broker refuses the event', async () => {
    await setUp();
    channel.publish.mockImplementation((...args: unknown[]) =>
      (args[4] as (error: Error) => void)(new Error('refused')),
    );
    await expect(bus.publish('invoice.created', {})).rejects.toThrow('refused');
  });

  it('acknowledges an event that was handled', async () => {
    await setUp();
    const incoming = message('{"id":"e1"}');
    channel.deliver(incoming);
    await bus.beforeApplicationShutdown();
    expect(handle).toHaveBeenCalledWith({ id: 'e1' });
    expect(channel.ack).toHaveBeenCalledWith(incoming);
  });

  it('tries a failed event once more, then gives it up', async () => {
    await setUp();
    handle.mockRejectedValue(new Error('no database'));
    const first = message('{}');
    const second = message('{}', true);
    channel.deliver(first);
    channel.deliver(second);
    await bus.beforeApplicationShutdown();
    expect(channel.nack.mock.calls).toEqual([
      [first, false, true],
      [second, false, false],
    ]);
  });
});
