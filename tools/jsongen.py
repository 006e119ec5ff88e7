#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the documents of apps/jsonstore and what must come of them: jsongen.py --out DIR [--iso DIR].

DIR/corpus.bin, all numbers little-endian, 32 bits:
    "HGCJSON1", number of files, number of documents, then for each file
    sort, first, name length, text length, name, text, zeros up to a multiple of 4.
    sort 0  a table of iso-codes: an object whose array has the documents, "first" is the ordinal of the first one;
            a document's code is name ":" and its first member of CODE_MEMBERS
    sort 1  one document; "first" is its ordinal, its code is the file's name
    sort 2  a text that must be refused; name is the error's, "first" the offset where it is noticed
DIR/expect.h: constants of the run; per ordinal the number of versions and the digest of the last one; the sum over all
versions of all documents (history_term).

A document's version v is edit(version v - 1), for v = 1 ..; version 0 is the parsed text. The edit depends on ordinal,
v and the document, on nothing else, so the order between documents does not matter. apps/jsonstore/edit.c has the same
rules; a rule changed here must be changed there. Documents are never changed in place, in both.

Same input, same Python: same output.
"""
import argparse
import glob
import json
import os
import random
import struct
import sys
from json.encoder import encode_basestring

SEED = 0x6A09E667
CODE_MEMBERS = ('code', 'alpha_4', 'alpha_3')
NUMBERS = ('0', '-0', '1e0', '-1.5E-7', '12345678901234567890', '0.1', '6.02214076e+23', '1E400', '-0.0', '100')
NOTES = ('plain', 'quote " and \\ backslash', 'tab\tline\nend\r', '\x00\x01\x1f\x7f', 'Grüße, Žižkov', '日本語',
         '\U0001F600 \U00010348', '</script>', '\b\f', '')
HISTORY_MAX = 8         # elements that "history" keeps
ARRAY_MAX = 64          # arrays shorter than this grow when edited
DEEP_MAX = 8            # levels that an edit goes down
M32, M64 = (1 << 32) - 1, (1 << 64) - 1


class Number(str):
    """A number as its text: no digit is lost, and no floating point is needed to compare."""


def refuse_constant(name):
    raise ValueError(name + ' is not JSON')


def parse(text):
    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse_constant)


def mix(a, b):
    """32 well-stirred bits of two numbers."""
    x = (a * 0x9E3779B1 ^ b * 0x85EBCA77 ^ SEED) & M32
    x ^= x >> 16
    x = x * 0x7FEB352D & M32
    x ^= x >> 15
    x = x * 0x846CA68B & M32
    return x ^ x >> 16


def canonical(root):
    """The only form that is digested: no spaces, members in order, raw UTF-8, json's short escapes."""
    out, stack = [], [root]
    while stack:
        v = stack.pop()
        kind = type(v)
        if kind is tuple:               # text that was put aside
            out.append(v[0])
        elif kind is str:
            out.append(encode_basestring(v))
        elif kind is Number:
            out.append(v)
        elif kind is dict:
            out.append('{')
            stack.append(('}',))
            parts = []
            for name, member in v.items():
                parts += [((',' if parts else '') + encode_basestring(name) + ':',), member]
            stack += reversed(parts)
        elif kind is list:
            out.append('[')
            stack.append((']',))
            parts = []
            for item in v:
                parts += [(',',), item] if parts else [item]
            stack += reversed(parts)
        else:
            out.append('null' if v is None else 'true' if v else 'false')
    return ''.join(out).encode()


def digest(data):
    """64 bits: a multiply and a fold for each word of 8 bytes, the last one filled with zeros; begins with the length."""
    h = 0xCBF29CE484222325 ^ len(data)
    data += bytes(-len(data) % 8)
    for word in struct.unpack('<%dQ' % (len(data) // 8), data):
        h = (h ^ word) * 0x100000001B3 & M64
        h ^= h >> 32
    return h


def history_term(ordinal, version, d):
    return (d ^ version << 32 ^ ordinal) * 0x9E3779B97F4A7C15 & M64


# ---- the edits -------------------------------------------------------------------------------------------------------

def with_member(v, name, value):
    return {**v, name: value}


def without_member(v, index):
    return {name: m for i, (name, m) in enumerate(v.items()) if i != index}


def number(n):
    return Number(str(n))


def meta(k, v, pick):
    return {'k': number(k), 'v': number(v), 'numbers': [Number(NUMBERS[(pick + i) % 10]) for i in range(pick % 4)],
            'empty': {}, 'none': [], 'deep': {'list': [[number(pick)], NOTES[pick % 10]]}}


def note(k, pick):
    return NOTES[pick % 10] + '/' + str(k) + '/' + NOTES[pick // 10 % 10]


def items_of(v):
    return list(v.values()) if type(v) is dict else v


def edit_inside(v, pick, version):
    """Goes down 1 to DEEP_MAX levels through containers and adds or replaces something there."""
    path = []
    for _ in range(1 + pick % DEEP_MAX):
        items = items_of(v)
        n = len(items)
        down = next((i for i in ((pick + j) % n for j in range(n)) if type(items[i]) in (dict, list)), None)
        if down is None:
            break
        path.append((v, down))
        v = items[down]
    if type(v) is dict:
        v = with_member(v, 'inside', number(version))
    elif len(v) < ARRAY_MAX:
        v = v + [number(version)]
    else:
        i = pick % len(v)
        v = v[:i] + [number(version)] + v[i + 1:]
    for parent, i in reversed(path):
        if type(parent) is dict:
            v = with_member(parent, list(parent)[i], v)
        else:
            v = parent[:i] + [v] + parent[i + 1:]
    return v


def edit_object(v, k, version, op, pick):
    n = len(v)
    i = pick % n if n else 0
    names = list(v)
    if op in (3, 4):
        return with_member(v, 'name', 'Name %d.%d' % (k % 1000, version % 5))
    if op == 5:
        return with_member(v, 'note', note(k, pick))
    if op == 6:
        return with_member(v, 'meta', meta(k, version, pick))
    if op == 7 and n > 1:
        return without_member(v, i)
    if op == 8 and n:
        return with_member(v, names[i], Number(NUMBERS[pick // n % 10]))
    if op == 9 and n:
        return with_member(without_member(v, i), names[i], v[names[i]])
    if op == 10:
        old = v.get('history')
        old = old if type(old) is list else []
        return with_member(v, 'history', old[len(old) >= HISTORY_MAX:] + [number(version)])
    if op == 11 and n:
        return with_member(v, 'copy', v[names[i]])
    if op in (12, 13):
        return edit_inside(v, pick, version)
    if op == 14:
        return with_member(v, 'flag', (None, True, False)[pick % 3])
    if op == 15 and n:
        return with_member(without_member(v, i), 'moved', v[names[i]])
    return with_member(v, 'version', number(version))


def edit_array(v, k, version, op, pick):
    n = len(v)
    if n:
        i = pick % n
        if op in (5, 6):
            return v[:i] + [note(k, pick)] + v[i + 1:]
        if op == 7 or (op < 5 and n >= ARRAY_MAX):
            return v[:i] + v[i + 1:]
        if op == 8:
            return v[:i] + [Number(NUMBERS[pick // n % 10])] + v[i + 1:]
        if op in (9, 15):
            return v[1:] + v[:1]
        if op == 10:
            return v[:i] + [meta(k, version, pick)] + v[i:]
        if op == 11:
            j = pick // n % n
            return v[:j] + [v[i]] + v[j + 1:]
        if op in (12, 13):
            return edit_inside(v, pick, version)
        if op == 14:
            return v[:i] + [(None, True, False)[pick % 3]] + v[i + 1:]
    return v + [number(version)]


def edit(v, k, version, original):
    h = mix(k, version)
    op, pick = h & 15, h >> 4
    if op == 0:                         # deleted, and inserted again from its text
        return parse(original)
    if type(v) is dict:
        return edit_object(v, k, version, op, pick)
    if type(v) is list:
        return edit_array(v, k, version, op, pick)
    return {'was': v, 'version': number(version)}


def versions_of(k, text):
    """Large documents get fewer, so that the run's time goes to many documents."""
    return max(2, min(VERSIONS + mix(k, 0) % 5, 6000 // (len(text) + 1)))


VERSIONS = 12


# ---- the documents ---------------------------------------------------------------------------------------------------

class Writer:
    """Writes a value as JSON in some of the many ways that mean the same."""

    def __init__(self, rng):
        self.rng = rng

    def space(self):
        return self.rng.choice(('', '', '', ' ', '\n', '\t ', '\r\n'))

    def char(self, c):
        short = {'"': '\\"', '\\': '\\\\', '/': '\\/', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t'}
        way = self.rng.randrange(4)
        if c in short and (way < 2 or c in '"\\' and way < 3):
            return short[c]
        if way == 3 or c < ' ' or c in '"\\':
            pair = c.encode('utf-16-be').hex()
            pair = pair.upper() if self.rng.randrange(2) else pair
            return ''.join('\\u' + pair[i:i + 4] for i in range(0, len(pair), 4))
        return c

    def text(self, v):
        s = self.space
        if type(v) is Number:
            return str(v)
        if type(v) is str:
            return '"' + ''.join(map(self.char, v)) + '"'
        if type(v) is dict:
            return '{' + s() + ','.join(s() + self.text(n) + s() + ':' + s() + self.text(m) + s()
                                        for n, m in v.items()) + '}'
        if type(v) is list:
            return '[' + s() + ','.join(s() + self.text(i) + s() for i in v) + ']'
        return 'null' if v is None else 'true' if v else 'false'


CHARS = ('abcdefghijklmnopqrstuvwxyz ABC 0123456789 "\\/\b\f\n\r\t\x00\x1f\x7f\x80'
         'äßéЖ漢字\u2028\ufeff\uffff\U0001F600\U0010FFFF')


def random_number(rng):
    text = rng.choice(('', '-')) + rng.choice(('0', str(rng.randrange(1, 10)), str(rng.randrange(1, 10**6)),
                                               str(rng.getrandbits(200) + 1)))
    if rng.randrange(2):
        text += '.' + str(rng.randrange(10**4)).zfill(rng.randrange(1, 30))
    if rng.randrange(3) == 0:
        text += rng.choice('eE') + rng.choice(('', '+', '-')) + str(rng.randrange(500)).zfill(rng.randrange(1, 5))
    return Number(text)


def random_string(rng, n):
    return ''.join(rng.choice(CHARS) for _ in range(n))


def random_value(rng, depth):
    sort = rng.randrange(9 if depth else 6)
    if sort < 2:
        return random_number(rng)
    if sort < 5:
        return random_string(rng, rng.randrange(20))
    if sort == 5:
        return rng.choice((None, True, False, [], {}, ''))
    if sort < 8:
        return {random_string(rng, rng.randrange(1, 9)): random_value(rng, depth - 1) for _ in range(rng.randrange(6))}
    return [random_value(rng, depth - 1) for _ in range(rng.randrange(6))]


def generated():
    """Yields (name, text) of documents that iso-codes has no examples of."""
    rng = random.Random(SEED)
    write = Writer(rng).text
    for i in range(1100):
        v = {'name': 'Record %d' % (i % 700), 'value': random_value(rng, 4), 'other': random_value(rng, 2)}
        yield 'record-%d' % i, write(v)
    for i in range(40):
        yield 'numbers-%d' % i, write([random_number(rng) for _ in range(60)])
    for i in range(40):
        yield 'strings-%d' % i, write([random_string(rng, 40) for _ in range(8)])
    for i, depth in enumerate((200, 500, 1000, 2000, 4000)):
        yield 'deep-array-%d' % i, '[' * depth + '{"name":"bottom"}' + ']' * depth
        yield 'deep-object-%d' % i, '{"name":"Deep %d","down":' % i + '{"a":' * depth + '1' + '}' * depth + '}'
        yield 'deep-mixed-%d' % i, '[{"x":' * (depth // 2) + '[]' + '},0]' * (depth // 2)
    for i, n in enumerate((1000, 3000, 6000)):
        yield 'long-array-%d' % i, write([number(j * j) for j in range(n)])
        yield 'long-string-%d' % i, '{"name":"Long %d","text":"' % i + 'x\\u00e9é' * (4 * n) + '"}'
    yield 'wide-object', write({'member %d' % i: number(i) for i in range(400)})
    yield 'repeated', '{"a":1,"b":2,"a":3,"name":"first","c":{"x":1,"x":2},"name":"second"}'
    for i, text in enumerate(('0', '-0', ' "alone" ', 'true', '\tfalse\n', 'null', '""', '[]', '{}', '[[]]',
                              '{"":{"":""}}', '"\\u0000\\ud83d\\ude00\\/"', '-0.0e-0', '[1e+0,1E-0,0.10]',
                              '\r\n[ ]\r\n', '{ }')):
        yield 'small-%d' % i, text


REFUSED = {                 # offset where it is noticed, text
    'JSON_EEND': ((0, ''), (2, ' \n'), (1, '['), (5, '[1,2 '), (4, '{"a"'), (5, '{"a":'), (4, '"abc'), (5, '"abc\\'),
        (1, '-'), (2, '1.'), (2, '1e'), (3, '1e+'), (5, '"\\u12'), (1, '"'), (2, '{ '),),
    'JSON_ETOKEN': ((0, ','), (1, '[,]'), (3, '[1,]'), (3, '[1 2]'), (1, '{1:2}'), (7, '{"a":1,}'), (4, '{"a",1}'),
        (2, '[1}'), (6, '{"a":1]'), (0, 'nul'), (0, 'True'), (0, 'NaN'), (0, 'Infinity'), (0, "'a'"), (0, '+1'),
        (0, '.5'), (0, '\ufeff1'), (0, ']'), (1, '[// no\n1]'),),
    'JSON_ENUMBER': ((1, '01'), (2, '-01'), (1, '-a'), (2, '1.e1'), (2, '1ea'), (3, '1e+a'), (1, '-Infinity'),),
    'JSON_ETRAIL': ((2, '1 2'), (1, '0x1'), (4, 'nullx'), (2, '[]]'), (2, '1 \x00'),),
    'JSON_EESCAPE': ((1, '"\\x41"'), (2, '"a\\u12g4"'), (1, '"\\ "'),),
    'JSON_ECONTROL': ((2, '"a\nb"'), (1, '"\x00"'), (3, '{"a\x1f":1}'),),
    'JSON_ESURROGATE': ((1, '"\\ud800"'), (1, '"\\udc00"'), (2, '"x\\ud800\\u0041"'), (1, '"\\ud83d\\ud83d\\ude00"'),
        (1, '"\\ud800x"'),),
    'JSON_EDEPTH': ((100000, '[' * 100001),),
    'JSON_EUTF8': ((1, b'"\x80"'), (1, b'"\xc0\x80"'), (1, b'"\xc1\xbf"'), (2, b'"a\xe0\x80\x80"'),
        (1, b'"\xed\xa0\x80"'), (1, b'"\xf0\x80\x80\x80"'), (1, b'"\xf4\x90\x80\x80"'), (1, b'"\xf5\x80\x80\x80"'),
        (1, b'"\xff"'), (1, b'"\xc3"'), (1, b'"\xe2\x82"'), (1, b'"\xe2\x82'), (2, b'{"\xc3(":1}'),),
}


def refused():
    """Yields (error, offset, text): what RFC 8259 does not allow, or we do not (half surrogate pairs, 100,001 levels)."""
    yield from ((error, offset, text.encode() if type(text) is str else text)
                for error, cases in REFUSED.items() for offset, text in cases)


def check_refused(text, error):
    """Python's json must refuse what we refuse, where it is as strict."""
    try:
        parse(text.decode())
    except (ValueError, RecursionError):
        return
    if error not in ('JSON_ESURROGATE', 'JSON_EDEPTH'):
        sys.exit('jsongen: Python accepts %r' % text)


def entries(text):
    """The text of each element of the only array in an iso-codes table."""
    decoder = json.JSONDecoder()
    at = text.index('[') + 1
    while True:
        while text[at] in ' \t\r\n,':
            at += 1
        if text[at] == ']':
            return
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end


def collect(iso):
    """Returns the files (sort, first, name, text) and the documents (code, text)."""
    files, documents = [], []
    tables = sorted(glob.glob(os.path.join(iso, 'iso_*.json')))
    if not tables:
        sys.exit('jsongen: no iso_*.json in %s: apt-get install iso-codes' % iso)
    for path in tables:
        with open(path, encoding='utf-8') as f:
            text = f.read()
        name = os.path.basename(path)[len('iso_'):-len('.json')]
        files.append((0, len(documents), name, text.encode()))
        for entry in entries(text):
            value = json.loads(entry)
            code = next(value[m] for m in CODE_MEMBERS if m in value)
            documents.append((name + ':' + code, entry))
    whole = []
    for path in sorted(glob.glob(os.path.join(iso, 'schema-*.json'))):
        with open(path, encoding='utf-8') as f:
            whole.append((os.path.basename(path), f.read()))
    for name, text in whole + list(generated()):
        files.append((1, len(documents), name, text.encode()))
        documents.append((name, text))
    for error, offset, text in refused():
        check_refused(text, error)
        files.append((2, offset, error, text))
    if len({code for code, _ in documents}) != len(documents):
        sys.exit('jsongen: two documents have the same code')
    return files, documents


def pack(files, documents):
    out = [b'HGCJSON1', struct.pack('<II', len(files), documents)]
    for sort, first, name, text in files:
        name = name.encode()
        out += [struct.pack('<IIII', sort, first, len(name), len(text)), name, text, bytes(-(len(name) + len(text)) % 4)]
    return b''.join(out)


def replay(documents):
    """Returns (versions, digest of the last) of each document, the sum over all versions, and how many have a name."""
    results, history, named = [], 0, 0
    for k, (_, text) in enumerate(documents):
        v, d, last = parse(text), 0, versions_of(k, text)
        for version in range(1, last + 1):
            v = edit(v, k, version, text)
            d = digest(canonical(v))
            history = history + history_term(k, version, d) & M64
        named += type(v) is dict and type(v.get('name')) is str
        results.append((last, d))
    return results, history, named


def header(documents, results, history, named, files):
    strings = lambda texts: ', '.join('{"%s", %d}' % (''.join('\\%03o' % b for b in t.encode()), len(t.encode()))
                                      for t in texts)
    total = 0
    for k, (_, d) in enumerate(results):
        total = total + history_term(k, 0, d) & M64
    lines = ['/* Made by tools/jsongen.py. */', '#ifndef JSONSTORE_EXPECT_H', '#define JSONSTORE_EXPECT_H', '',
             '#define JS_SEED 0x%Xu' % SEED, '#define JS_DOCUMENTS %d' % len(documents),
             '#define JS_REFUSED %d' % sum(sort == 2 for sort, *_ in files),
             '#define JS_PASSES %d     /* the most versions that a document has */' % max(v for v, _ in results),
             '#define JS_VERSIONS %d            /* of all documents together */' % sum(v for v, _ in results),
             '#define JS_NAMED %d                /* documents whose last version has a name */' % named,
             '#define JS_HISTORY 0x%016xull /* sum over every version */' % history,
             '#define JS_TOTAL 0x%016xull   /* sum over the last versions */' % total,
             '#define JS_HISTORY_MAX %d' % HISTORY_MAX, '#define JS_ARRAY_MAX %d' % ARRAY_MAX,
             '#define JS_DEEP_MAX %d' % DEEP_MAX,
             '#define JS_CODE_MEMBERS ' + ', '.join('"%s"' % m for m in CODE_MEMBERS),
             '#define JS_NUMBERS ' + strings(NUMBERS), '#define JS_NOTES ' + strings(NOTES), '',
             '#ifdef JS_TABLE', 'static const struct { uint32_t versions; uint64_t digest; } js_expect[JS_DOCUMENTS] = {']
    lines += ['{%d, 0x%016xull},' % r for r in results]
    return '\n'.join(lines + ['};', '#endif', '#endif', ''])


def main():
    parser = argparse.ArgumentParser(description='documents for apps/jsonstore, and their digests')
    parser.add_argument('--out', required=True, help='folder for corpus.bin and expect.h')
    parser.add_argument('--iso', default='/usr/share/iso-codes/json', help="iso-codes' JSON files")
    args = parser.parse_args()
    sys.setrecursionlimit(20000)        # json descends one call a level
    files, documents = collect(args.iso)
    results, history, named = replay(documents)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, 'corpus.bin'), 'wb') as f:
        f.write(pack(files, len(documents)))
    with open(os.path.join(args.out, 'expect.h'), 'w', encoding='ascii') as f:
        f.write(header(documents, results, history, named, files))


if __name__ == '__main__':
    main()
