// The page keeps nothing but the last snapshot. Everything it shows, and every word, comes with it.
import { render, nothing } from './vendor/lit-html.js';
import { screen } from './screens.js';
import { play } from './sounds.js';

const desk = document.getElementById('desk');
const pause = document.getElementById('pause');
const cover = document.getElementById('cover');
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
const page = document.querySelector('meta[name=page]').content;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

let socket;                      // the open websocket, if any
let retry = 100;                 // ms until the next try
let shown = null;                // the snapshot on the screen
let next = null;                 // the one to paint in the next frame
let boot = null;                 // of the daemon that this page was loaded from
let heard = performance.now();   // when the daemon was last heard
let played = -1;                 // the last sound; -1: none yet

function connect() {
  socket = new WebSocket(`ws://${location.host}/ws?token=${encodeURIComponent(token)}`);
  socket.onopen = () => { retry = 100; };
  socket.onmessage = event => take(JSON.parse(event.data));
  socket.onclose = () => {
    setTimeout(connect, retry * (0.8 + 0.4 * Math.random()));
    retry = Math.min(retry * 2, 800);
  };
}

// take lets the newest snapshot be painted in the next frame.
function take(doc) {
  boot ??= doc.boot;
  if (doc.boot !== boot || doc.page !== page) {
    location.reload();
    return;
  }
  heard = performance.now();
  if (!next) requestAnimationFrame(paint);
  next = doc;
}

function paint() {
  const before = shown;
  [shown, next] = [next, null];
  Object.assign(document.documentElement, { lang: shown.lang, dir: shown.dir });
  uncover();
  const focused = desk.contains(document.activeElement);
  render(screen(shown), desk);
  Object.assign(desk.dataset, { screen: shown.screen, seq: shown.seq });
  if (focused && !desk.contains(document.activeElement)) desk.querySelector('button')?.focus();
  pop(before);
  sound(before);
  say({ ack: shown.seq });
}

// pop lets a new card come up.
function pop(before) {
  const top = shown.model.items[0]?.key;
  if (calm.matches || !top || top === before?.model.items[0]?.key) return;
  desk.querySelector('.card')?.animate(
    [{ transform: 'scale(.96)', opacity: 0.5 }, { transform: 'none', opacity: 1 }], { duration: 140, easing: 'ease-out' });
}

// sound plays each event once, but nothing that happened before the page was there.
function sound(before) {
  const fresh = shown.events.filter(e => e.id > played);
  if (played >= 0) fresh.forEach((e, i) => play(e.kind, i));
  played = Math.max(played, 0, ...shown.events.map(e => e.id));
  const left = shown.model.seconds;
  if (left > 0 && left <= 5 && left !== before?.model.seconds && !fresh.length) play('tick');
}

function say(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function tap(event) {
  const button = event.target.closest('[data-action]');
  if (!button || !shown || !cover.hidden) return;
  say({ tap: button.dataset.action, seq: shown.seq, session: shown.session });
}

// watch covers a page that may be stale: nobody must trust it, tap it or read what is left on it.
function watch() {
  const silent = performance.now() - heard;
  pause.hidden = silent < 1500 || silent >= 3000;
  if (silent < 3000 || !cover.hidden) return;
  const lang = document.documentElement.lang;
  const texts = [...cover.querySelectorAll('[lang]')];
  const own = texts.find(t => t.lang === lang) ?? texts[0];
  texts.forEach(t => { t.hidden = t !== own; });
  cover.querySelector('time').textContent = new Date().toTimeString().slice(0, 5);
  desk.inert = true;
  cover.hidden = false;
  shown = null;
  render(nothing, desk);
}

function uncover() {
  desk.inert = false;
  cover.hidden = pause.hidden = true;
}

document.addEventListener('click', tap);
document.addEventListener('contextmenu', event => event.preventDefault());
document.addEventListener('pointerdown', event => { if (event.target.closest('[data-action]')) play('press'); });
setInterval(watch, 100);
connect();
