/** What an older version, another tool or a person may have left in a job's fields. */
export const garbage: Readonly<Record<string, Record<string, string>>> = {
  "fields that are no JSON": { data: "{", opts: "}", progress: "][", returnvalue: "nope" },
  "values of another kind": { data: "42", opts: "null", atm: "many", stc: "x", priority: "high" },
  "data without its members": { data: "{}" },
  "instants out of range": {
    timestamp: "1e20",
    processedOn: "-1",
    finishedOn: "NaN",
    "attempt:1": '{"startedAt":1e99}',
  },
  "an attempt that is no record": { "attempt:1": "{", "attempt:2": "null", "attempt:3": '{"attempt":"one"}' },
  "options of another kind": { opts: '{"attempts":"three","delay":[],"backoff":7}' },
};
