// Elements. Text only ever becomes text nodes: the page's policy forbids anything else.

/** An element with properties and children. */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (properties.role) element.setAttribute("role", properties.role);
  element.append(...children);
  return element;
}

/** Names and values in a <dl>; rows without a value are left out. */
export function facts(list, rows) {
  const kept = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  list.replaceChildren(...kept.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
}
