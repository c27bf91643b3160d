// Shows /openapi.json: every call with its parameters, body and answers, and the types that they are made of.

import { parse } from "./api.js";
import { el } from "./dom.js";

/** @typedef {Record<string, any>} Schema A JSON schema, or another object of the document. */

const METHODS = ["get", "put", "post", "delete", "patch"];

const typeId = (/** @type {string} */ name) => `type-${name}`;

/** A schema as one line: a link for a named type, else words. @param {Schema} schema @returns {(Node | string)[]} */
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [el("a", { href: `#${typeId(name)}` }, name)];
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((/** @type {Schema} */ each, /** @type {number} */ at) => [...(at ? [" or "] : []), ...typeOf(each)]);
  if (schema.enum) return [schema.enum.map((/** @type {unknown} */ each) => JSON.stringify(each)).join(", ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {}), ...bounds(schema)];
  if (typeof schema.additionalProperties === "object") return ["by name: ", ...typeOf(schema.additionalProperties)];
  return [schema.type ?? "anything", ...bounds(schema)];
}

const LIMITS = /** @type {[string, string][]} */ ([
  ["minimum", "from"], ["exclusiveMinimum", "above"], ["maximum", "to"], ["multipleOf", "a multiple of"],
  ["minLength", "at least"], ["maxLength", "at most"], ["minItems", "at least"], ["maxItems", "at most"], ["pattern", "like"],
]);

/** @param {Schema} schema @returns {string[]} */
function bounds(schema) {
  const told = LIMITS.filter(([name]) => schema[name] !== undefined).map(([name, word]) => `${word} ${schema[name]}`);
  if (schema.default !== undefined) told.push(`without: ${JSON.stringify(schema.default)}`);
  return told.length ? [` (${told.join(", ")})`] : [];
}

/** Names and what they mean. @param {[string, boolean, Schema][]} rows of name, whether it must be there, schema */
const fields = (rows) =>
  el("dl", {}, ...rows.flatMap(([name, required, schema]) => [
    el("dt", {}, el("code", {}, name), required ? null : el("small", {}, " optional")),
    el("dd", {}, ...typeOf(schema)),
  ]));

/** Which role a key must have, where keys are set. @param {Schema} operation */
function roleOf(operation) {
  const role = (operation.security ?? []).flatMap((/** @type {Record<string, string[]>} */ each) => Object.values(each).flat())[0];
  return role ? [el("p.soft", {}, "Needs a key of the role ", el("code", {}, role), role === "admin" ? "." : ", where keys are set.")] : [];
}

/** @param {string} method @param {string} path @param {Schema} operation */
function callOf(method, path, operation) {
  const body = operation.requestBody?.content["application/json"]?.schema;
  const parameters = operation.parameters ?? [];
  const answers = Object.entries(operation.responses).flatMap(([status, answer]) =>
    Object.entries(answer.content ?? {}).map(([kind, { schema }]) => [`${status} ${answer.description}`, kind, schema]));
  return el("li", {}, el("details", {},
    el("summary", {}, el("span.method", {}, method.toUpperCase()), " ", el("code", {}, path)),
    el("p", {}, operation.description ?? ""),
    ...roleOf(operation),
    ...(parameters.length ? [el("h3", {}, "Parameters"), fields(parameters.map((/** @type {Schema} */ each) => [each.name, each.required, each.schema]))] : []),
    ...(body ? [el("h3", {}, "Body"), el("p", {}, ...typeOf(body))] : []),
    el("h3", {}, "Answers"),
    el("dl", {}, ...answers.flatMap(([status, kind, schema]) => [el("dt", {}, status), el("dd", {}, ...typeOf(schema), " ", el("small", {}, kind))])),
  ));
}

/** @param {string} name @param {Schema} schema */
const typeCard = (name, schema) =>
  el("details", { id: typeId(name) },
    el("summary", {}, el("code", {}, name)),
    el("p", {}, schema.description ?? ""),
    fields(Object.entries(schema.properties ?? {}).map(([field, each]) => [field, (schema.required ?? []).includes(field), each])));

/** Open what a link of the page names. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

try {
  const answer = await fetch("/openapi.json", { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`/openapi.json answered ${answer.status}`);
  const api = /** @type {Schema} */ (parse(await answer.text()));
  document.getElementById("about")?.append(`${api.info.title} ${api.info.version}. ${api.info.description} `, el("a", { href: "/openapi.json" }, "As OpenAPI"));
  const paths = /** @type {[string, Schema][]} */ (Object.entries(api.paths));
  document.getElementById("calls")?.append(
    ...paths.flatMap(([path, methods]) => METHODS.filter((method) => methods[method]).map((method) => callOf(method, path, methods[method]))));
  document.getElementById("types")?.append(
    ...Object.entries(api.components.schemas).sort(([one], [other]) => one.localeCompare(other)).map(([name, schema]) => typeCard(name, schema)));
  addEventListener("hashchange", openTarget);
  openTarget();
} catch (fault) {
  const trouble = document.getElementById("trouble");
  if (trouble) Object.assign(trouble, { hidden: false, textContent: fault instanceof Error ? fault.message : String(fault) });
}
