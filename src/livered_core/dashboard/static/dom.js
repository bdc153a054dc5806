/** Small helpers for the page's own elements. Text goes in as text, never as markup. */

/** Find an element by its id. */
export const byId = (id) => document.getElementById(id);

/** Make an element: `make("td", {class: "n"}, "text", child)`. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Write a text if it is another than the one that is there. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Write a name that may be broken after its colons, points, dashes and slashes. */
export function setName(element, name) {
  if (element.textContent === name) return;
  const parts = name
    .split(/(?<=[:._/-])/u)
    .flatMap((part, i) => (i === 0 ? [part] : [document.createElement("wbr"), part]));
  element.replaceChildren(...parts);
}

/** Set or remove an attribute if that changes anything. */
export function setAttribute(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** Show or hide an element. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/**
 * Keep the children of an element in step with a list: elements of keys that stay are kept, with their focus and
 * what is open in them.
 *
 * @param {Element} parent Holds nothing else.
 * @param {Array} items What is to be shown, in order.
 * @param {(item) => string} key Differs for each item.
 * @param {(item) => Element} create Makes an element.
 * @param {(element: Element, item) => void} update Writes an item into its element.
 */
export function keep(parent, items, key, create, update) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = old.get(name);
    if (element) old.delete(name);
    else {
      element = create(item);
      element.dataset.key = name;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const child of old.values()) child.remove();
}
