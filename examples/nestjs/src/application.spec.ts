import { type INestApplicationContext } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { HoldfastProducer } from "holdfast/nestjs";
import { AppModule } from "./app.module.js";
import { welcome } from "./jobs.js";

describe("the application", () => {
  let app: INestApplicationContext;
  beforeAll(async () => {
    // A Redis for tests, in which this test has a prefix of its own.
    process.env.REDIS_URL ??= "redis://127.0.0.1:6379";
    process.env.HOLDFAST_PREFIX = `test-${Date.now()}`;
    const container = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = await container.createNestApplication().init();
  });
  afterAll(() => app.close());

  it("runs the job", async () => {
    const jobs = app.get(HoldfastProducer);
    const user = { email: "li@example.com", name: "Li" };
    const { id } = await jobs.submit(welcome, user, { idempotencyKey: "signup-1" });

    let status = await jobs.status(welcome, id);
    while (status?.state !== "completed") status = await jobs.status(welcome, id);

    expect(status.result?.messageId).toMatch(/./);
  });
});
