import { type DynamicModule, Injectable, Scope } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import {
  type Application,
  type AttemptOf,
  createOperator,
  createProducer,
  defineConfig,
  defineJob,
} from "holdfast";
import {
  HandlesJob,
  HoldfastHealth,
  HoldfastModule,
  type HoldfastModuleOptions,
  HoldfastOperator,
  HoldfastProducer,
  nestApplication,
} from "holdfast/nestjs";
import { startWorker } from "holdfast/worker";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { latch } from "../../support/latch.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const greeting = {
  payload: z.strictObject({ name: z.string() }),
  result: z.strictObject({ text: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1 } },
  timeoutMs: 10_000,
} as const;
const greet = defineJob({ ...greeting, type: "greet" });

const application = defineConfig({ jobs: [greet] });

@Injectable()
class Dictionary {
  word() {
    return "Hello";
  }
}

@Injectable()
class Greetings {
  constructor(private readonly dictionary: Dictionary) {}

  @HandlesJob(greet)
  async greet({ payload }: AttemptOf<typeof greet>) {
    return { text: `${this.dictionary.word()}, ${payload.name}` };
  }
}

type Providers = NonNullable<DynamicModule["providers"]>;

interface Given extends HoldfastModuleOptions {
  readonly application?: Application;
  readonly imports?: NonNullable<DynamicModule["imports"]>;
}

function rootModule(
  providers: Providers,
  { application: own, imports = [], ...options }: Given,
): DynamicModule {
  class AppModule {}
  const holdfast = HoldfastModule.forRoot(own ?? application, options);
  return { module: AppModule, imports: [holdfast, ...imports], providers };
}

/** Brings up a container with its own key prefix. It is closed with the test. */
async function start(providers: Providers, given: Given = {}) {
  const env = testEnvironment();
  const root = rootModule(providers, { env, ...given });
  const context = await NestFactory.createApplicationContext(root, { logger: false });
  onTestFinished(() => context.close());
  return { context, env, producer: context.get(HoldfastProducer) };
}

async function workersOf(operator: HoldfastOperator) {
  return (await operator.overview()).workers;
}

/** A handler that runs until it is let go, and providers that close something: in the root module, in others, and global. */
function closingProviders() {
  const [begun, release] = [latch(), latch()];
  const order: string[] = [];
  const note = (what: string) => () => void order.push(what);

  @Injectable()
  class Slow {
    @HandlesJob(greet)
    async greet({ progress }: AttemptOf<typeof greet>) {
      begun.open();
      await release.opened;
      // Round trips, in which a container that does not wait would close.
      for (const percent of [25, 50, 75]) await progress(percent);
      order.push("attempt ended");
      return { text: "done" };
    }

    onModuleDestroy = note("handler's provider");
  }
  const pool = (where: string) => ({
    provide: `pool of ${where}`,
    useValue: { onModuleDestroy: note(`pool of ${where}`), onApplicationShutdown: note(`end of ${where}`) },
  });

  class FarModule {}
  class GlobalModule {}
  const imports: DynamicModule[] = [
    { module: FarModule, providers: [pool("another module")] },
    { module: GlobalModule, global: true, providers: [pool("a global module")] },
  ];
  return { begun, release, order, imports, providers: [Slow, pool("the root module")] };
}

const closed = [
  "attempt ended",
  "handler's provider",
  "pool of the root module",
  "pool of another module",
  "pool of a global module",
  "end of the root module",
  "end of another module",
  "end of a global module",
];

describe("HoldfastModule", () => {
  it("runs a job by a method whose dependencies are injected", async () => {
    const { producer } = await start([Dictionary, Greetings]);

    const { id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });

    expect(await untilState(producer, id, "completed")).toMatchObject({ result: { text: "Hello, Li" } });
  });

  it("retries a method that throws, and reports each failed attempt", async () => {
    const failed: unknown[] = [];
    @Injectable()
    class Failing {
      @HandlesJob(greet)
      async greet({ attempt }: AttemptOf<typeof greet>) {
        if (attempt < 3) throw new Error(`attempt ${attempt}`);
        return { text: "third" };
      }
    }
    const { producer } = await start([Failing], { onFailed: ({ attempt }) => void failed.push(attempt) });

    const { id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });

    const status = await untilState(producer, id, "completed");
    expect(status).toMatchObject({ attemptsMade: 3, result: { text: "third" } });
    expect(failed).toEqual([1, 2]);
  });

  it("closes after the last attempt, before any other provider", async () => {
    const { begun, release, order, imports, providers } = closingProviders();
    const { context, env, producer } = await start(providers, { imports });
    const { id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });
    await begun.opened;

    const closing = context.close();
    release.open();
    await closing;

    expect(order).toEqual(closed);
    const other = await createProducer(application, env);
    expect(await other.status(id)).toMatchObject({ state: "completed" });
    await other.stop();
  });

  it("keeps the producer until the HTTP server has closed", async () => {
    const { context, env, producer } = await start([]);
    let id = "";
    // As a request would that comes when the worker has stopped.
    const beforeApplicationShutdown = async () => {
      ({ id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "late" }));
    };
    Object.assign(context.get(HoldfastHealth), { beforeApplicationShutdown });

    await context.close();

    const other = await createProducer(application, env);
    expect(await other.status(id)).toMatchObject({ state: "waiting" });
    await other.stop();
  });

  it.each([
    ["no provider has a handler", [], {}],
    ["it is told so", [Dictionary, Greetings], { worker: false }],
  ] as const)("runs no worker where %s", async (_, providers, options) => {
    const { context } = await start([...providers], options);

    expect(await workersOf(context.get(HoldfastOperator))).toEqual([]);
  });

  it("takes options from other providers", async () => {
    const env = testEnvironment();
    class AppModule {}
    class ConfigModule {}
    const config: DynamicModule = {
      module: ConfigModule,
      providers: [{ provide: "env", useValue: env }],
      exports: ["env"],
    };
    const useFactory = async (given: typeof env) => ({ env: given });
    const holdfast = HoldfastModule.forRootAsync(application, {
      imports: [config],
      inject: ["env"],
      useFactory,
    });
    const root: DynamicModule = {
      module: AppModule,
      imports: [holdfast],
      providers: [Dictionary, Greetings],
    };
    const context = await NestFactory.createApplicationContext(root, { logger: false });
    onTestFinished(() => context.close());
    const producer = await createProducer(application, env);
    onTestFinished(() => producer.stop());

    const { id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });

    expect(await untilState(producer, id, "completed")).toMatchObject({ result: { text: "Hello, Li" } });
  });

  it("injects the producer by its class", async () => {
    @Injectable()
    class SignUps {
      constructor(readonly jobs: HoldfastProducer) {}
    }
    const { context, producer } = await start([SignUps]);

    expect(context.get(SignUps).jobs).toBe(producer);
  });

  it("logs where Nest does, from HOLDFAST_LOG_LEVEL on", async () => {
    const lines: string[] = [];
    const logger = { log: (line: string) => void lines.push(line), error() {}, warn() {} };
    const env = testEnvironment({ HOLDFAST_LOG_LEVEL: "info" });
    const context = await NestFactory.createApplicationContext(rootModule([Dictionary, Greetings], { env }), {
      logger,
    });
    await context.close();

    expect(lines).toContainEqual(expect.stringMatching(/^worker ready \{.*types: \[ 'greet' \]/));
  });
});

describe("HoldfastModule refuses at start", () => {
  const unlisted = defineJob({ ...greeting, type: "unlisted" });

  @Injectable()
  class Others {
    @HandlesJob(greet)
    async also() {
      return { text: "" };
    }
  }

  @Injectable()
  class Strays {
    @HandlesJob(unlisted)
    async stray() {
      return { text: "" };
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  class Scoped {
    @HandlesJob(greet)
    async greet() {
      return { text: "" };
    }
  }

  const more = defineConfig({ jobs: [greet, defineJob({ ...greeting, type: "more" })] });

  it.each([
    [
      "two handlers of one job",
      [Dictionary, Greetings, Others],
      application,
      'job "greet": has several handlers: Greetings.greet, Others.also',
    ],
    [
      "a handler whose job is not listed",
      [Strays],
      application,
      `Strays.stray: handles "unlisted", which is not listed in the application's jobs`,
    ],
    [
      "a handler of a request-scoped provider",
      [Scoped],
      application,
      "Scoped.greet: its provider is request-scoped or transient; a handler needs a singleton",
    ],
    [
      "a job without a handler",
      [Dictionary, Greetings],
      more,
      'job "more": has no handler; add it to what `handlers` of defineConfig returns, or with NestJS a method with @HandlesJob',
    ],
  ])("%s", async (_, providers, given, message) => {
    await expect(start(providers, { application: given })).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message,
    });
  });
});

describe("the health indicator", () => {
  it("is up while Redis keeps what it acknowledges, and down while it is away", async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const { context } = await start([], { env: testEnvironment({ REDIS_URL: redis.url }) });
    const health = context.get(HoldfastHealth);

    expect(await health.isHealthy()).toEqual({ holdfast: { status: "up" } });
    await redis.kill();
    expect(await health.isHealthy("jobs")).toEqual({
      jobs: { status: "down", message: "The store cannot be reached" },
    });
    await redis.restart();

    await until("it is up again", async () => (await health.isHealthy()).holdfast.status === "up");
  });

  it("is down when Redis may forget what it acknowledges", async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const { context } = await start([], { env: testEnvironment({ REDIS_URL: redis.url }) });
    const client = new Redis(redis.url);
    await client.config("SET", "maxmemory-policy", "allkeys-lru");
    client.disconnect();

    expect(await context.get(HoldfastHealth).isHealthy()).toEqual({
      holdfast: { status: "down", message: expect.stringContaining("maxmemory-policy") },
    });
  });
});

describe("nestApplication", () => {
  it("lets a worker run a container's handlers, and closes it after the last attempt", async () => {
    const { begun, release, order, imports, providers } = closingProviders();
    const env = testEnvironment();
    const root = rootModule(providers, { env, imports });
    const nest = nestApplication(application, async () => root);
    const worker = await startWorker(nest, env);
    const producer = await createProducer(nest, env);
    onTestFinished(() => producer.stop());
    const { id } = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });
    await begun.opened;
    const operator = await createOperator(nest, env);
    const workers = await workersOf(operator);
    await operator.stop();

    const stopping = worker.stop();
    release.open();
    await stopping;

    expect(workers).toHaveLength(1);
    expect(order).toEqual(closed);
    expect(await producer.status(id)).toMatchObject({ state: "completed" });
  });

  it("refuses what the module refuses", async () => {
    const env = testEnvironment();
    const root = rootModule([Dictionary, Greetings, { provide: "again", useClass: Greetings }], { env });

    const starting = startWorker(
      nestApplication(application, async () => root),
      env,
    );

    await expect(starting).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message: expect.stringContaining("Greetings.greet, Greetings.greet"),
    });
  });
});

describe("an application that fails to start", () => {
  /** Connections of this test's Redis alone. */
  async function connectionsAfter(start: (env: ReturnType<typeof testEnvironment>) => Promise<unknown>) {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await expect(start(testEnvironment({ REDIS_URL: redis.url }))).rejects.toThrow();
    let others = Number.NaN;
    await until("no connection is left", async () => {
      others =
        String(await client.client("LIST"))
          .trim()
          .split("\n").length - 1;
      return others === 0;
    }).catch(() => {});
    return others;
  }
  const boot = (root: DynamicModule) =>
    NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const failing = async () => {
    throw new Error("fails to start");
  };

  it.each<[string, Providers]>([
    ["a provider that is not made", [Dictionary, Greetings, { provide: "pool", useFactory: failing }]],
    ["a hook", [Dictionary, Greetings, { provide: "pool", useValue: { onModuleInit: failing } }]],
    [
      "the last hook",
      [Dictionary, Greetings, { provide: "pool", useValue: { onApplicationBootstrap: failing } }],
    ],
    ["a handler that is there twice", [Dictionary, Greetings, { provide: "again", useClass: Greetings }]],
  ])("leaves no connection open: %s", async (_, providers) => {
    expect(await connectionsAfter((env) => boot(rootModule(providers, { env })))).toBe(0);
  });

  it("leaves none open of a worker that cannot start", async () => {
    const given = { queues: ["unknown"] };
    expect(
      await connectionsAfter((env) => boot(rootModule([Dictionary, Greetings], { env, ...given }))),
    ).toBe(0);
  });
});

describe("forFeature", () => {
  const feature = (
    job: Parameters<typeof HoldfastModule.forFeature>[0][number],
    provider: Providers[number],
  ) => {
    class FeatureModule {}
    return {
      module: FeatureModule,
      imports: [HoldfastModule.forFeature([job])],
      providers: [Dictionary, provider],
    };
  };

  it("adds a feature's contracts to those of the root, which may have none", async () => {
    const later = defineJob({ ...greeting, type: "later", queue: "late" });
    @Injectable()
    class Later {
      @HandlesJob(later)
      async later() {
        return { text: "later" };
      }
    }
    const env = testEnvironment();
    class AppModule {}
    const context = await NestFactory.createApplicationContext(
      {
        module: AppModule,
        imports: [HoldfastModule.forRoot({ env }), feature(greet, Greetings), feature(later, Later)],
      },
      { logger: false },
    );
    onTestFinished(() => context.close());
    const producer = context.get(HoldfastProducer);

    const first = await producer.submit(greet, { name: "Li" }, { idempotencyKey: "1" });
    const second = await producer.submit(later, { name: "Li" }, { idempotencyKey: "1" });

    expect(await untilState(producer, first.id, "completed")).toMatchObject({
      result: { text: "Hello, Li" },
    });
    expect(await untilState(producer, second.id, "completed")).toMatchObject({ result: { text: "later" } });
  });

  it("may name what the root lists, and no other contract of its type", async () => {
    const other = defineJob({ ...greeting, type: "greet" });

    const { context } = await start([], { imports: [feature(greet, Greetings)] });
    expect(await workersOf(context.get(HoldfastOperator))).toHaveLength(1);
    await expect(
      NestFactory.createApplicationContext(rootModule([], { imports: [feature(other, Greetings)] }), {
        logger: false,
        abortOnError: false,
      }),
    ).rejects.toMatchObject({ code: "APPLICATION_INVALID", message: 'job "greet": declared twice' });
  });

  it("is not enough for holdfast worker, which reads contracts without the container", async () => {
    const env = testEnvironment();
    const root = rootModule([], { env, imports: [feature(greet, Greetings)] });
    const others = defineConfig({ jobs: [defineJob({ ...greeting, type: "other" })] });

    await expect(
      startWorker(
        nestApplication(others, async () => root),
        env,
      ),
    ).rejects.toMatchObject({ code: "APPLICATION_INVALID", message: expect.stringContaining("forFeature") });
  });
});
