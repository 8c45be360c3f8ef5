import { inspect, types } from "node:util";

const SHOWN_MAX = 500;
const DEPTH_MAX = 2;
const TEXT_READ_MAX = 10_000;

/** Grows until it has more than `SHOWN_MAX` characters. */
interface Line {
  text: string;
}

/**
 * A value as text of at most 500 characters, for messages that anybody may read. Unlike `inspect` it shows no stack: an error is
 * `[Name: message]`. It runs no getter but those of an error's name and message, and no trap of a proxy that it meets.
 */
export function shown(value: unknown): string {
  const line: Line = { text: "" };
  write(line, value, 0);
  return line.text.length > SHOWN_MAX ? `${line.text.slice(0, SHOWN_MAX - 1)}…` : line.text;
}

function write(line: Line, value: unknown, depth: number): void {
  if (!isObject(value)) line.text += primitiveText(value);
  else if (types.isProxy(value)) line.text += "[Proxy]";
  else if (depth > DEPTH_MAX) line.text += headOf(value) || (Array.isArray(value) ? "[Array]" : "[Object]");
  else writeObject(line, value, depth);
}

function writeObject(line: Line, value: object, depth: number): void {
  const each = (inner: unknown) => write(line, inner, depth + 1);
  const head = headOf(value);
  line.text += head;
  if (Array.isArray(value))
    writeList(line, "[", "]", itemsOf(value), (item) => writeProperty(line, item, each));
  else if (types.isSet(value)) writeList(line, " {", "}", Set.prototype.values.call(value), each);
  else if (types.isMap(value)) {
    writeList(line, " {", "}", Map.prototype.entries.call(value), ([key, inner]) => {
      each(key);
      line.text += " => ";
      each(inner);
    });
  } else {
    const properties = propertiesOf(value);
    if (properties.length === 0 && head !== "") return;
    writeList(line, head === "" ? "{" : " {", "}", properties, ([key, property]) => {
      line.text += `${keyText(key)}: `;
      writeProperty(line, property, each);
    });
  }
}

function writeList<T>(
  line: Line,
  open: string,
  close: string,
  items: Iterable<T>,
  writeItem: (item: T) => void,
): void {
  line.text += open;
  let separator = " ";
  for (const item of items) {
    if (line.text.length > SHOWN_MAX) return;
    line.text += separator;
    writeItem(item);
    separator = ", ";
  }
  line.text += separator === " " ? close : ` ${close}`;
}

function writeProperty(line: Line, property: PropertyDescriptor, each: (value: unknown) => void): void {
  if (property.get === undefined && property.set === undefined) each(property.value);
  else line.text += "[Getter]";
}

function* itemsOf(array: readonly unknown[]): Generator<PropertyDescriptor> {
  for (let index = 0; index < array.length; index += 1)
    yield Object.getOwnPropertyDescriptor(array, index) ?? { value: undefined };
}

/** Which of an error's properties its head has, or nobody may see. */
const IN_HEAD: ReadonlySet<PropertyKey> = new Set(["name", "message", "stack"]);
const ALSO_OF_ERRORS: ReadonlySet<PropertyKey> = new Set(["cause", "errors"]);

function propertiesOf(value: object): (readonly [PropertyKey, PropertyDescriptor])[] {
  // Their elements are properties, too, perhaps millions.
  if (ArrayBuffer.isView(value)) return [];
  const isOfError = isError(value);
  return Reflect.ownKeys(value).flatMap((key) => {
    if (isOfError && IN_HEAD.has(key)) return [];
    const property = Object.getOwnPropertyDescriptor(value, key);
    const isShown = property?.enumerable === true || (isOfError && ALSO_OF_ERRORS.has(key));
    return property !== undefined && isShown ? [[key, property] as const] : [];
  });
}

/** What an object is; empty for a plain one, and for an array. */
function headOf(value: object): string {
  if (isError(value)) {
    const message = textIn(value, "message");
    return `[${textIn(value, "name") || "Error"}${message === "" ? "" : `: ${message}`}]`;
  }
  if (typeof value === "function") return "[Function]";
  if (types.isDate(value)) return inspect(new Date(Date.prototype.getTime.call(value)));
  if (types.isRegExp(value)) return withoutFrames(RegExp.prototype.toString.call(value));
  if (Array.isArray(value)) return "";
  const name = classOf(value);
  return name === "Object" ? "" : name;
}

function isError(value: object): value is Error {
  // The second also where an object only inherits from an error, and its stack.
  return types.isNativeError(value) || value instanceof Error;
}

function classOf(value: object): string {
  for (let owner: unknown = value; isObject(owner) && !types.isProxy(owner); ) {
    const made: unknown = Object.getOwnPropertyDescriptor(owner, "constructor")?.value;
    if (typeof made === "function" && !types.isProxy(made)) {
      const name: unknown = Object.getOwnPropertyDescriptor(made, "name")?.value;
      return typeof name === "string" ? withoutFrames(name) : "";
    }
    owner = Object.getPrototypeOf(owner);
  }
  return "";
}

function textIn(error: Error, name: "name" | "message"): string {
  try {
    const text: unknown = error[name];
    return typeof text === "string" ? withoutFrames(text) : "";
  } catch {
    return "";
  }
}

function keyText(key: PropertyKey): string {
  if (typeof key === "symbol") return `[${primitiveText(key)}]`;
  const text = String(key);
  return /^[\w$]+$/.test(text) ? text.slice(0, SHOWN_MAX) : primitiveText(text);
}

function primitiveText(value: unknown): string {
  if (typeof value === "symbol") return withoutFrames(String(value));
  return inspect(typeof value === "string" ? withoutFrames(value) : value);
}

/** Texts may quote a stack as well, such as an error that was made an object. */
function withoutFrames(text: string): string {
  const lines = text.slice(0, TEXT_READ_MAX).split("\n");
  return lines.filter((line) => !/^\s*at /.test(line)).join("\n");
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
