// The screens, one short function each. A screen is a pure picture of the snapshot.
import { html, nothing } from './vendor/lit-html.js';
import * as art from './art.js';

const rows = 3;      // lines on one page of a list
const patience = 20; // seconds that a countdown begins with, at least
const slots = 4;     // tools that fit into the rail

const button = (a, look = '') => html`<button class=${look} data-action=${a.id} lang=${a.lang ?? nothing}>
  ${art.icon(a.kind)}<span>${a.text}</span></button>`;

const inLines = ['renew', 'clear'];
const inRail = ['before', 'more', 'language', 'help'];
const ofKind = (d, ...kinds) => d.model.actions.filter(a => kinds.includes(a.kind));
const notOfKind = (d, ...kinds) => d.model.actions.filter(a => !kinds.includes(a.kind));

// bar is the row of buttons below: the primary one stands out.
function bar(d) {
  const rest = notOfKind(d, ...inLines, ...inRail);
  return rest.length ? html`<div class="bar">${rest.map((a, i) => button(a, i ? '' : 'primary'))}</div>` : nothing;
}

// rail is the column of tools; where there is room, codes for staff stand under them.
function rail(d) {
  const fixed = [...ofKind(d, 'before', 'more'), ...ofKind(d, 'help')];
  const tools = [...ofKind(d, 'language').slice(0, slots - fixed.length), ...fixed];
  return html`<nav class="rail">${tools.map(a => button(a, 'tool'))}${codes(d, 2 * (slots - tools.length))}</nav>`;
}

function codes(d, most, inList) {
  const chips = (d.model.alarms ?? []).map(a => html`<abbr class="code" title=${a.text}>${a.code}</abbr>`);
  if (d.offline) chips.unshift(html`<span class="cloud" role="img" aria-label=${d.model.cloud}>${art.cloud()}</span>`);
  if (!chips.length || most <= 0) return nothing;
  return inList ? html`<li class="codes">${chips.slice(0, most)}</li>` : html`<div class="codes">${chips.slice(0, most)}</div>`;
}

const frame = (d, body) => html`<div class="frame" data-mode=${d.screen}><main tabindex="-1">${body}</main>${rail(d)}</div>`;

// hero is a picture over a heading and a sentence, for screens that say one thing.
const hero = (d, picture, more = nothing) => frame(d, html`<div class="hero">
  ${d.model.notice.text && !stops.includes(d.screen) ? warning(d) : html`${picture}<h1>${d.model.heading}</h1>
  ${d.model.text ? html`<p role="status">${d.model.text}</p>` : nothing}
  ${d.model.code ? html`<p class="code">${d.model.code}</p>` : nothing}${more}`}</div>${bar(d)}`);
const stops = ['borrowing_off', 'out_of_order'];

// warning is the sentence to show now, when it belongs to no book on the screen.
const warning = d => html`<div class="card" data-outcome=${d.model.notice.look} role="alert">
  <div class="side">${art.shape(d.model.notice.look)}</div><div class="words"><h1 class="says">${d.model.notice.text}</h1></div></div>`;

// bookCard is the last book: what became of it, and what to do now.
function bookCard(item) {
  const look = item.look ?? item.outcome;
  const first = ['refused', 'wait'].includes(look); // what to do comes before which book
  return html`<div class="card" data-outcome=${look} role=${first ? 'alert' : 'status'}>
    <div class="side">${art.shape(look)}</div>
    <div class="words">${first ? html`<p class="says">${item.text}</p>` : nothing}
      ${item.title ? html`<p class="title"><bdi>${item.title}</bdi></p>` : nothing}
      ${first || !item.text ? nothing : html`<p class="says">${item.text}</p>`}</div></div>`;
}

// earlier are the books before the last one; a small screen has no room for them.
const earlier = items => html`<ul class="earlier">${items.slice(1, 3).map(i => html`<li data-outcome=${i.outcome}>
  ${art.shape(i.outcome)}<bdi>${i.title}</bdi></li>`)}</ul>`;

const greeting = d => html`<header><h1>${d.model.heading}</h1>${d.model.text ? html`<p>${d.model.text}</p>` : nothing}</header>`;

// isStray tells whether the sentence to show now is about another thing than the last book.
function isStray({ model: { items, notice } }) {
  return notice.text && items[0]?.outcome !== 'refused' && items[0]?.fault !== notice.fault;
}

function borrow(d) {
  const { items, ready } = d.model;
  const stray = isStray(d);
  const body = stray ? warning(d) : items.length ? html`${bookCard(items[0])}${earlier(items)}`
    : html`<div class="stage">${art.scanBook()}${ready ? html`<p class="ready" role="status">${ready}</p>` : nothing}</div>`;
  return frame(d, html`${greeting(d)}${body}${bar(d)}`);
}

function giveBack(d) {
  const { items } = d.model;
  if (!items.length) return hero(d, art.giveBook());
  return frame(d, html`${greeting(d)}${isStray(d) ? warning(d) : html`${bookCard(items[0])}${earlier(items)}`}${bar(d)}`);
}

const line = (d, item) => html`<li class="row" data-outcome=${item.outcome} data-late=${item.late ? '' : nothing}>
  ${item.outcome ? art.shape(item.outcome) : nothing}
  <div class="words"><p class="title">${item.late ? art.icon('late') : nothing}<bdi>${item.title}</bdi></p><p class="says">${item.text}</p></div>
  ${[item.renew, item.clear].map(id => d.model.actions.find(a => a.id === id)).map(a => a ? button(a, 'inline') : nothing)}</li>`;

const list = d => frame(d, html`<header><h1>${d.model.heading}</h1></header>
  ${d.model.notice.text ? warning(d) : html`<ul class="list">${d.model.items.slice(d.model.first, d.model.first + rows).map(i => line(d, i))}</ul>`}
  ${bar(d)}`);

const stillThere = d => frame(d, html`<div class="hero"><div class="countdown">
  ${art.ring(Math.min(1, d.model.seconds / patience))}<b role="timer">${d.model.seconds}</b></div>
  <div role="alert"><h1>${d.model.heading}</h1></div><p>${d.model.text}</p></div>${bar(d)}`);

// pin is a pad with keys of a telephone. Where a key can do nothing yet, its place stays.
const pad = ['1', '2', '3', '4', '5', '6', '7', '8', '9'].map(n => `digit:${n}`).concat('erase', 'digit:0', 'ok');
const key = (a, id) => !a ? html`<span class="key">${art.icon(id)}</span>`
  : html`<button class=${id === 'ok' ? 'key primary' : 'key'} data-action=${id}>${art.icon(id)}<span class=${a.kind === 'digit' ? 'digit' : 'ear'}>${a.text}</span></button>`;

const typed = d => html`<h1>${d.model.heading}</h1>
  <div role="status"><p class="dots" role=${d.model.text ? 'img' : nothing} aria-label=${d.model.text ?? nothing}>${Array.from({ length: d.model.typed ?? 0 }, () => html`<i></i>`)}</p></div>
  ${d.model.waiting ? html`<p>${d.model.waiting}</p>` : nothing}`;

const pin = d => frame(d, html`<div class="pin">
  ${d.model.notice.text ? html`<div class="hero" data-outcome=${d.model.notice.look} role="alert">${art.shape(d.model.notice.look)}<h1>${d.model.notice.text}</h1></div>`
    : html`<div class="hero">${typed(d)}</div>`}
  <div class="keys">${pad.map(id => key(d.model.actions.find(a => a.id === id), id))}</div>
  <div class="bar">${ofKind(d, 'back').map(a => button(a))}</div></div>`);

const finish = d => hero(d, html`<div class="tally">${art.books()}<b aria-hidden="true">${d.model.counts.new}</b></div>`);

// The staff screens: dark, dense, and never waiting for a touch.
const staff = (d, body) => html`<div class="frame staff" data-mode=${d.screen}><main tabindex="-1">${body}</main></div>`;

const verdict = item => html`<div class="card verdict" data-outcome=${item.outcome} role="status">
  <div class="side">${art.shape(item.outcome)}</div>
  <div class="words"><h1>${item.word}<bdi class="tail">${item.tail}</bdi></h1>
    ${item.title ? html`<p class="title"><bdi>${item.title}</bdi></p>` : nothing}
    <p><span>${item.text}</span>${item.code ? html`<b class="code">${item.code}</b>` : item.call ? html`<bdi class="call">${item.call}</bdi>` : nothing}</p></div></div>`;

const empty = d => html`<div class="card verdict waiting"><div class="words"><h1>${d.model.heading}</h1><p>${d.model.text}</p></div></div>`;

const count = b => html`<li data-outcome=${b.outcome} aria-label="${b.word}: ${b.n}">${art.shape(b.outcome)}<b>${b.n}</b><span class="word">${b.word}</span></li>`;

function bin(d) {
  const { items, bins } = d.model;
  return staff(d, html`${items.length ? verdict(items[0]) : empty(d)}
    <ul class="strip">${items.slice(1, 6).map(i => html`<li data-outcome=${i.outcome}>${art.shape(i.outcome)}<bdi>${i.tail}</bdi></li>`)}</ul>
    <ul class="counts">${bins.map(count)}${codes(d, 3, true)}</ul>${tray(d)}`);
}

const tray = d => html`<div class="bar">${d.model.actions.map(a => html`<button data-action=${a.id}>${art.icon(a.kind)}<span>${a.text}</span>
  ${a.kind === 'aside' ? html`<b>${d.model.counts.aside}</b>` : nothing}</button>`)}</div>`;

const aside = d => staff(d, html`<header><h1>${d.model.heading}</h1></header>
  <ul class="list">${d.model.items.slice(d.model.first, d.model.first + rows).map(i => line(d, i))}</ul>
  <div class="bar">${notOfKind(d, ...inLines).map((a, i) => button(a, i ? '' : 'primary'))}</div>`);

const screens = {
  attract: d => hero(d, art.scanCard()),
  item_first: d => hero(d, art.scanCard()),
  who: d => hero(d, art.spinner()),
  unknown_card: d => hero(d, art.shape('unknown')),
  blocked: d => hero(d, art.helper()),
  pin,
  borrow, account: list, renewed: list, return: giveBack, finish,
  bye: d => hero(d, art.smile()),
  still_there: stillThere,
  help: d => hero(d, art.helper()),
  bin, aside,
  closed: d => hero(d, art.moon()),
  borrowing_off: d => hero(d, art.shape('refused')),
  out_of_order: d => hero(d, art.shape('refused')),
};

// screen draws a snapshot; one that this page has no picture for still says its words.
export const screen = d => (screens[d.screen] ?? (x => hero(x, nothing)))(d);
