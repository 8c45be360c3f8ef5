import { type INestApplicationContext } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { HoldfastProducer } from "holdfast/nestjs";
import { runHandler } from "holdfast/testing";
import { AppModule } from "./app.module.js";
import { welcome } from "./jobs.js";
import { Mailer } from "./mailer.js";
import { WelcomeMails } from "./welcome-mails.js";

const li = { email: "li@example.com", name: "Li" };

// #region handler
describe("a welcome mail", () => {
  it("is sent once, with the name", async () => {
    const sent: string[] = [];
    const mailer = { send: async ({ text }: { text: string }) => ({ messageId: `${sent.push(text)}` }) };
    const container = await Test.createTestingModule({
      providers: [WelcomeMails, { provide: Mailer, useValue: mailer }],
    }).compile();
    const mails = container.get(WelcomeMails);

    const { result } = await runHandler(
      welcome.handler((attempt) => mails.send(attempt)),
      li,
    );

    expect(result).toEqual({ messageId: "1" });
    expect(sent).toEqual(["Welcome, Li"]);
  });
});
// #endregion

// #region application
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
    const { id } = await jobs.submit(welcome, li, { idempotencyKey: "signup-1" });

    let status = await jobs.status(welcome, id);
    while (status?.state !== "completed") status = await jobs.status(welcome, id);

    expect(status.result?.messageId).toMatch(/./);
  });
});
// #endregion
