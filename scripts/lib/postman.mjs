// A Postman collection made from the OpenAPI document. Its requests can be sent as they are.
import { promisify } from "node:util";
import { Failure } from "./script.mjs";

/** Parameter values by name; others keep the converter's. */
const parameters = {
  id: "{{jobId}}",
  name: "send",
  type: "welcome-email",
  state: "failed",
  idempotencyKey: "signup-42",
  "Idempotency-Key": "signup-42",
  cursor: "",
  from: "2026-11-24T00:00:00Z",
  to: "2026-11-25T00:00:00Z",
  endedFrom: "2026-11-24T00:00:00Z",
  endedTo: "2026-11-25T00:00:00Z",
  total: "true",
  errorText: "timed out",
  at: "2026-11-24T07:00:00Z",
  step: "5m",
  queue: "default",
};

const keepsJobId = 'pm.collectionVariables.set("jobId", pm.response.json().id);';

/** Further requests after the first submission, with their changes. */
const followUps = [
  { name: "Submit it again: 200, the first job's id", tests: [isAnswered(200)] },
  {
    name: "Submit other content with the same key: 422",
    change: (body) => ({ ...body, payload: { ...body.payload, name: "Maria" } }),
    tests: [isAnswered(422), bearsCode("IDEMPOTENCY_KEY_REUSED")],
  },
  {
    name: "Submit a wrong payload: 400, with every issue",
    change: (body) => ({ ...body, payload: { email: "nobody", name: "" } }),
    tests: [isAnswered(400), bearsCode("INVALID_PAYLOAD")],
  },
];

/**
 * @param description the OpenAPI document
 * @returns a collection in format 2.1; equal documents give equal collections
 */
export async function postmanCollection(description) {
  const { info, item: folders } = await convert(description);
  const submissions = Object.entries(
    description.paths["/jobs"].post.requestBody.content["application/json"].examples,
  ).map(([type, { value }]) => ({ type, body: value }));
  const requestsOf = (item) => (isSubmission(item) ? submitRequests(item, submissions) : [request(item)]);
  return {
    info: { name: info.name, description: info.description.content, schema: info.schema },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{apiKey}}", type: "string" }] },
    variable: [
      { key: "baseUrl", value: "http://127.0.0.1:3000" },
      { key: "jobId", value: "" },
      { key: "apiKey", value: "" },
    ],
    item: folders.map(({ name, description: about, item }) => ({
      name,
      description: about.content,
      item: item.flatMap(requestsOf),
    })),
  };
}

async function convert(description) {
  const options = {
    folderStrategy: "Tags",
    enableOptionalParameters: false,
    requestParametersResolution: "Example",
    exampleParametersResolution: "Example",
  };
  const { result, reason, output } = await withoutChance(async () => {
    // Loaded here, because its generator of examples keeps the `Math.random` that it finds when it is loaded.
    const { default: converter } = await import("openapi-to-postmanv2");
    return await promisify(converter.convert)({ type: "json", data: structuredClone(description) }, options);
  });
  if (!result) throw new Failure(`Cannot make the Postman collection: ${reason}`);
  return output[0].data;
}

/** The converter makes up values that have no example. */
async function withoutChance(work) {
  const { random } = Math;
  Math.random = () => 0.5;
  try {
    return await work();
  } finally {
    Math.random = random;
  }
}

function isSubmission({ request: { method, url } }) {
  return method === "POST" && url.path.join("/") === "jobs";
}

/** A request for each job type, and the further requests after the first. */
function submitRequests(item, submissions) {
  const [first, ...others] = submissions;
  const accepted = [isAnswered(200, 202)];
  return [
    request(item, { body: first.body, tests: [...accepted, keepsJobId] }),
    ...followUps.map(({ name, change = (body) => body, tests }) =>
      request(item, { name, body: change(first.body), tests }),
    ),
    ...others.map(({ type, body }) =>
      request(item, { name: `Submit a job: ${type}`, body, tests: accepted }),
    ),
  ];
}

/** One request, without random ids and without the converter's invented responses. */
function request({ name: givenName, request: given }, { name = givenName, body, tests = [] } = {}) {
  const { method, url, header, description } = given;
  return {
    name,
    ...(tests.length > 0 && {
      event: [{ listen: "test", script: { type: "text/javascript", exec: tests } }],
    }),
    request: {
      method,
      ...(description && { description: description.content }),
      url: {
        raw: ["{{baseUrl}}", ...url.path].join("/"),
        host: url.host,
        path: url.path,
        ...(url.query.length > 0 && { query: url.query.map(withValue) }),
        ...(url.variable.length > 0 && { variable: url.variable.map(withValue) }),
      },
      header: header.map(withValue),
      ...(given.body && { body: body === undefined ? given.body : jsonBody(body) }),
    },
  };
}

function withValue({ key, value, description, disabled }) {
  return {
    key,
    value: Object.hasOwn(parameters, key) ? parameters[key] : value,
    ...(description && { description }),
    ...(disabled && { disabled }),
  };
}

function jsonBody(value) {
  return { mode: "raw", raw: JSON.stringify(value, null, 2), options: { raw: { language: "json" } } };
}

function isAnswered(...statuses) {
  return `pm.test("${statuses.join(" or ")}", () => pm.expect(pm.response.code).to.be.oneOf([${statuses.join(", ")}]));`;
}

function bearsCode(code) {
  return `pm.test("${code}", () => pm.expect(pm.response.json().code).to.equal("${code}"));`;
}
