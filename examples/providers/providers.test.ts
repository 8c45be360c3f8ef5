// The examples with their real libraries, which the table of truth installs, and providers that act and then misbehave.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { JobContract, JobHandler } from "holdfast";
import { describe, expect, it, type TestContext } from "vitest";
import { applicationOf, createService, untilState } from "../../test/support/service.ts";
import { type SmtpScript, startScriptedSmtp } from "../../test/support/smtp-script.ts";
import { openAnthropic, translate, translateHandler } from "./anthropic.ts";
import { openGitHub, openIssue, openIssueHandler } from "./github.ts";
import { placeOrder, placeOrderHandler } from "./http.ts";
import { openOpenAi, summarize, summarizeHandler } from "./openai.ts";
import { openS3, storeReport, storeReportHandler } from "./s3.ts";
import { openSes, sendReceipt, sendReceiptHandler } from "./ses.ts";
import { inviteUser, inviteUserHandler, openMail } from "./smtp.ts";
import { chargeCustomer, chargeCustomerHandler, findPayment, openStripe } from "./stripe.ts";

/** What a provider's request asks for: it acts with a key, or finds what was done with a key. */
interface Api {
  readonly acts: (request: IncomingMessage) => boolean;
  /** The key that the provider would know again, if any: in the path, a header or the body. */
  readonly keyOf: (request: IncomingMessage, body: string) => string;
  /** What it answers to the act, and to a question for a key that it knows, or not. */
  readonly answer: (key: string, response: ServerResponse) => void;
  readonly find: (keys: readonly string[], request: IncomingMessage, response: ServerResponse) => void;
}

type Fault = "none" | "acts and resets" | "refuses" | "acts and is cut off";

/** A provider that does what its fault says to the first request that acts. */
async function startProvider(api: Api, fault: Fault, { onTestFinished }: TestContext) {
  const keys: string[] = [];
  let isFirst = true;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (!api.acts(request)) return api.find(keys, request, response);
    const isHurt = isFirst && fault !== "none";
    isFirst = false;
    if (isHurt && fault === "refuses")
      return json(response, 422, { error: { message: "no" }, message: "no" });
    const key = api.keyOf(request, body);
    if (!keys.includes(key)) keys.push(key);
    if (!isHurt) return api.answer(key, response);
    if (fault === "acts and resets") return void request.socket.resetAndDestroy();
    response.writeHead(201, { "content-type": "application/json; charset=utf-8" });
    response.write('{"numb', () => request.socket.destroy());
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, keys };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function outcomeOf(handler: JobHandler, job: JobContract, payload: object, context: TestContext) {
  const service = createService(applicationOf(handler), {}, context.onTestFinished);
  const [producer] = await Promise.all([service.createProducer(), service.startWorker()]);
  const { id } = await producer.submit(job, payload as never, { idempotencyKey: "one" });
  const { state, error, effects } = await untilState(producer, id, "completed", "failed");
  const [effect] = effects;
  return {
    outcome: { state, code: error?.code, effect: effect?.state },
    why: JSON.stringify({ error, effect }),
  };
}

const done = { state: "completed", code: undefined, effect: "done" };
const held = { state: "failed", code: "EFFECT_IN_DOUBT", effect: "in-doubt" };
const failedForGood = { state: "failed", code: "PERMANENT_FAILURE", effect: undefined };

const credentials = { accessKeyId: "a", secretAccessKey: "b" };
const awsAt = (endpoint: string) => ({ region: "eu-central-1", endpoint, credentials });
const isPost = ({ method }: IncomingMessage) => method === "POST";

const stripeAt = (url: string) =>
  openStripe("sk_test", { host: "127.0.0.1", port: new URL(url).port, protocol: "http" });
const stripeApi: Api = {
  acts: isPost,
  keyOf: ({ headers }) => String(headers["idempotency-key"]),
  answer: (key, response) =>
    json(response, 200, { id: `pi_${key}`, object: "payment_intent", status: "succeeded" }),
  find: (keys, _, response) =>
    json(response, 200, {
      object: "list",
      has_more: false,
      data: keys.map((key) => ({ id: `pi_${key}`, status: "succeeded", metadata: { effect: key } })),
    }),
};

const sesApi: Api = {
  acts: isPost,
  keyOf: (_, body) => String(new URLSearchParams(body).get("Tags.member.1.Value")) + Math.random(),
  answer: (_, response) =>
    response
      .writeHead(200, { "content-type": "text/xml" })
      .end(
        "<SendEmailResponse><SendEmailResult><MessageId>m-1</MessageId></SendEmailResult><ResponseMetadata/></SendEmailResponse>",
      ),
  find: (_, __, response) => response.writeHead(404).end(),
};

const s3Api: Api = {
  acts: ({ method }) => method === "PUT",
  keyOf: ({ url = "" }) => url.split("?")[0] ?? "",
  answer: (_, response) => response.writeHead(200, { etag: '"1"' }).end(),
  find: (keys, { url = "" }, response) =>
    response.writeHead(keys.includes(url.split("?")[0] ?? "") ? 200 : 404).end(),
};

const shopApi: Api = {
  acts: isPost,
  keyOf: ({ headers }) => String(headers["idempotency-key"]),
  answer: (key, response) => json(response, 201, { id: `order-${key}` }),
  find: (keys, { url = "" }, response) => {
    const known = keys.find((key) => url.endsWith(`/${key}`));
    return known === undefined ? json(response, 404, {}) : json(response, 200, { id: `order-${known}` });
  },
};

const completion = (key: string) => ({
  id: key,
  choices: [{ message: { role: "assistant", content: "short" } }],
});
const openAiApi: Api = {
  acts: isPost,
  keyOf: (_, body) => JSON.parse(body).metadata.effect,
  answer: (key, response) => json(response, 200, completion(key)),
  find: (keys, { url = "" }, response) => {
    const asked = new URL(url, "http://localhost").searchParams.get("metadata[effect]") ?? "";
    json(response, 200, {
      object: "list",
      has_more: false,
      data: keys.includes(asked) ? [completion(asked)] : [],
    });
  },
};

const anthropicApi: Api = {
  acts: isPost,
  keyOf: () => String(Math.random()),
  answer: (_, response) => json(response, 200, { id: "m", content: [{ type: "text", text: "kurz" }] }),
  find: (_, __, response) => json(response, 404, {}),
};

const gitHubApi: Api = {
  acts: isPost,
  keyOf: (_, body) => /<!-- (.*) -->/.exec(JSON.parse(body).body)?.[1] ?? "",
  answer: (_, response) => json(response, 201, { number: 1 }),
  find: (keys, _, response) =>
    json(
      response,
      200,
      keys.map((key, index) => ({ number: index + 1, body: `<!-- ${key} -->` })),
    ),
};

/** Each example's provider, and how its effect ends after each fault. */
const examples = [
  {
    name: "stripe",
    api: stripeApi,
    job: chargeCustomer,
    handlerAt: (url: string) => chargeCustomerHandler(stripeAt(url)),
    payload: { customer: "cus_1", card: "pm_1", cents: 250 },
    ends: { lost: done, refused: done, cutOff: done },
  },
  {
    name: "ses",
    api: sesApi,
    job: sendReceipt,
    handlerAt: (url: string) => sendReceiptHandler(openSes(awsAt(url))),
    payload: { to: "ann@example.com", text: "250" },
    ends: { lost: held, refused: done, cutOff: held },
  },
  {
    name: "s3",
    api: s3Api,
    job: storeReport,
    handlerAt: (url: string) => storeReportHandler(openS3({ ...awsAt(url), forcePathStyle: true })),
    payload: { month: "2026-11" },
    ends: { lost: done, refused: done, cutOff: done },
  },
  {
    name: "http",
    api: shopApi,
    job: placeOrder,
    handlerAt: placeOrderHandler,
    payload: { article: "coffee" },
    ends: { lost: done, refused: done, cutOff: done },
  },
  {
    name: "openai",
    api: openAiApi,
    job: summarize,
    handlerAt: (baseURL: string) => summarizeHandler(openOpenAi({ apiKey: "k", baseURL })),
    payload: { text: "long" },
    ends: { lost: done, refused: done, cutOff: done },
  },
  {
    name: "anthropic",
    api: anthropicApi,
    job: translate,
    handlerAt: (baseURL: string) => translateHandler(openAnthropic({ apiKey: "k", baseURL })),
    payload: { text: "short" },
    ends: { lost: held, refused: done, cutOff: held },
  },
  {
    name: "github",
    api: gitHubApi,
    job: openIssue,
    handlerAt: (baseUrl: string) => openIssueHandler(openGitHub({ baseUrl })),
    payload: { title: "The nightly check failed" },
    ends: { lost: done, refused: done, cutOff: done },
  },
];

describe.concurrent.each(examples)("the example of $name, with its real library", (example) => {
  const { api, job, handlerAt, payload, ends } = example;
  it.for<[Fault, object]>([
    ["none", done],
    ["acts and resets", ends.lost],
    ["refuses", ends.refused],
    ["acts and is cut off", ends.cutOff],
  ])("acts once if its provider's fault is: %s", async ([fault, end], context) => {
    const { url, keys } = await startProvider(api, fault, context);
    const { outcome, why } = await outcomeOf(handlerAt(url), job, payload, context);
    expect(outcome, why).toEqual(end);
    expect(keys).toHaveLength(1);
  });
});

it("finds a payment of Stripe's by its effect's key", async (context) => {
  const { url, keys } = await startProvider(stripeApi, "none", context);
  expect(await findPayment(stripeAt(url), "cus_1", "k1")).toBe("not-done");
  keys.push("k1");
  expect(await findPayment(stripeAt(url), "cus_1", "k1")).toEqual({ done: "pi_k1" });
});

describe.concurrent("the example of a mail server, with nodemailer", () => {
  it.for<[string, SmtpScript, object]>([
    ["sends once after a refusal for now", { RCPT: "450 greylisted" }, done],
    ["is held if the connection is lost after the message", { message: "close" }, held],
    ["fails for good if the mail is refused for good", { message: "554 looks like spam" }, failedForGood],
  ])("%s", async ([, script, end], context) => {
    await using server = await startScriptedSmtp(script);
    const payload = { to: "ann@example.com", link: "https://shop.example/invite" };
    const handler = inviteUserHandler(openMail(server.url));
    const { outcome, why } = await outcomeOf(handler, inviteUser, payload, context);
    expect(outcome, why).toEqual(end);
    expect(server.received.filter((mail) => mail !== "")).toHaveLength(1);
  });
});
