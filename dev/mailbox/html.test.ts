import { describe, expect, it } from "vitest";
import { Html, html } from "./html.ts";

describe("html", () => {
  it("escapes every value, in text and in attributes", () => {
    const hostile = `<img src=x onerror='alert(1)'> & "quotes"`;

    const { markup } = html`<a title="${hostile}">${hostile}</a>`;

    expect(markup).not.toMatch(/<img|'|& /);
    expect(markup.match(/"/g)).toHaveLength(2);
  });

  it("leaves the markup of other templates alone", () => {
    const items = ["<1>", "<2>"].map((item) => html`<li>${item}</li>`);

    expect(html`<ul>${items}</ul>`.markup).toBe("<ul><li>&#60;1&#62;</li><li>&#60;2&#62;</li></ul>");
    expect(html`${new Html("<hr>")}`.markup).toBe("<hr>");
  });

  it("shows undefined as nothing, and numbers as they are", () => {
    expect(html`[${undefined}][${0}]`.markup).toBe("[][0]");
  });
});
