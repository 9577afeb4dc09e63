// The official libsignal behind JSON lines: one request a line on stdin, one answer a line on stdout.
//
// A request is {"op": ..., ...}; the answer is {"ok": value} or {"error": {"name", "message"}}. Bytes travel
// as hexadecimal, public keys with 32 bytes, times in milliseconds. One process plays any number of people,
// each with stores of their own. Nothing here is shipped.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const signal = createRequire(import.meta.url)('@signalapp/libsignal-client')
const TYPE = Buffer.from([5])
const KYBER_UNUSED = new (class extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {}
  async getKyberPreKey() { throw new Error('no Kyber prekeys: version 3 only') }
  async markKyberPreKeyUsed() {}
})()

const bytes = (hex) => Buffer.from(hex, 'hex')
const hex = (buffer) => Buffer.from(buffer).toString('hex')
const publicKey = (text) => signal.PublicKey.deserialize(Buffer.concat([TYPE, bytes(text)]))
const publicHex = (key) => hex(key.getPublicKeyBytes())
const address = (name) => signal.ProtocolAddress.new(name, 1)
const time = (request) => (request.now === undefined ? new Date() : new Date(request.now))

class Sessions extends signal.SessionStore {
  records = new Map()
  // Stored as bytes, as a real program would, so that nothing is shared by reference.
  async saveSession(name, record) { this.records.set(name.name(), record.serialize()) }
  async getSession(name) {
    const stored = this.records.get(name.name())
    return stored === undefined ? null : signal.SessionRecord.deserialize(stored)
  }
  async getExistingSessions(names) { return Promise.all(names.map((name) => this.getSession(name))) }
}

class Identities extends signal.IdentityKeyStore {
  known = new Map()
  constructor(privateKey, registrationId) { super(); this.privateKey = privateKey; this.registrationId = registrationId }
  async getIdentityKey() { return this.privateKey }
  async getLocalRegistrationId() { return this.registrationId }
  async saveIdentity(name, key) {
    const before = this.known.get(name.name())
    this.known.set(name.name(), key)
    const same = before === undefined || before.compare(key) === 0
    return same ? signal.IdentityChange.NewOrUnchanged : signal.IdentityChange.ReplacedExisting
  }
  async isTrustedIdentity() { return true }
  async getIdentity(name) { return this.known.get(name.name()) ?? null }
}

class PreKeys extends signal.PreKeyStore {
  records = new Map()
  async savePreKey(id, record) { this.records.set(id, record.serialize()) }
  async getPreKey(id) {
    if (!this.records.has(id)) throw new Error('unknown one-time prekey')
    return signal.PreKeyRecord.deserialize(this.records.get(id))
  }
  async removePreKey(id) { this.records.delete(id) }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  records = new Map()
  async saveSignedPreKey(id, record) { this.records.set(id, record.serialize()) }
  async getSignedPreKey(id) {
    if (!this.records.has(id)) throw new Error('unknown signed prekey')
    return signal.SignedPreKeyRecord.deserialize(this.records.get(id))
  }
}

class Person {
  sessions = new Sessions()
  preKeys = new PreKeys()
  signedPreKeys = new SignedPreKeys()
  nextId = 1
  constructor(registrationId) {
    this.privateKey = signal.PrivateKey.generate()
    this.registrationId = registrationId
    this.identities = new Identities(this.privateKey, registrationId)
  }
  async signedPreKey() {
    const id = this.nextId++
    const key = signal.PrivateKey.generate()
    const signature = this.privateKey.sign(key.getPublicKey().serialize())
    await this.signedPreKeys.saveSignedPreKey(
      id, signal.SignedPreKeyRecord.new(id, Date.now(), key.getPublicKey(), key, signature))
    return { id, public: publicHex(key.getPublicKey()), signature: hex(signature) }
  }
  async preKey() {
    const id = this.nextId++
    const key = signal.PrivateKey.generate()
    await this.preKeys.savePreKey(id, signal.PreKeyRecord.new(id, key.getPublicKey(), key))
    return { id, public: publicHex(key.getPublicKey()) }
  }
  async start(peer, bundle, now) {
    const made = signal.PreKeyBundle.new(
      bundle.registration_id, 1, bundle.prekey_id, bundle.prekey === null ? null : publicKey(bundle.prekey),
      bundle.signed_prekey_id, publicKey(bundle.signed_prekey), bytes(bundle.signature), publicKey(bundle.identity))
    await signal.processPreKeyBundle(made, address(peer), this.sessions, this.identities, now)
  }
  encrypt(peer, plaintext, now) {
    return signal.signalEncrypt(plaintext, address(peer), this.sessions, this.identities, now)
  }
  decrypt(peer, kind, ciphertext) {
    if (kind === 'pkmsg') {
      return signal.signalDecryptPreKey(
        signal.PreKeySignalMessage.deserialize(ciphertext), address(peer), this.sessions, this.identities,
        this.preKeys, this.signedPreKeys, KYBER_UNUSED)
    }
    return signal.signalDecrypt(
      signal.SignalMessage.deserialize(ciphertext), address(peer), this.sessions, this.identities)
  }
}

const people = new Map()
const who = (request) => {
  const person = people.get(request.name)
  if (person === undefined) throw new Error('nobody of this name')
  return person
}

const operations = {
  async person(request) {
    const person = new Person(request.registration_id)
    people.set(request.name, person)
    return { identity: publicHex(person.privateKey.getPublicKey()), registration_id: person.registrationId }
  },
  async signed_prekey(request) { return who(request).signedPreKey() },
  async prekey(request) { return who(request).preKey() },
  async has_prekey(request) { return who(request).preKeys.records.has(request.id) },
  async start(request) {
    await who(request).start(request.peer, request.bundle, time(request))
    return null
  },
  async encrypt(request) {
    const message = await who(request).encrypt(request.peer, bytes(request.plaintext), time(request))
    const kind = message.type() === signal.CiphertextMessageType.PreKey ? 'pkmsg' : 'msg'
    return { kind, ciphertext: hex(message.serialize()) }
  },
  async decrypt(request) {
    return hex(await who(request).decrypt(request.peer, request.kind, bytes(request.ciphertext)))
  },
  async archive(request) {
    const person = who(request)
    const record = await person.sessions.getSession(address(request.peer))
    record.archiveCurrentState()
    await person.sessions.saveSession(address(request.peer), record)
    return null
  },
  async can_encrypt(request) {
    const record = await who(request).sessions.getSession(address(request.peer))
    return record !== null && record.hasCurrentState(time(request))
  },
  async known_identity(request) {
    const key = await who(request).identities.getIdentity(address(request.peer))
    return key === null ? null : publicHex(key)
  },
  async safety_number(request) {
    const own = who(request).privateKey.getPublicKey()
    return signal.Fingerprint.new(
      5200, 0, bytes(request.own_id), own, bytes(request.peer_id), publicKey(request.peer_identity),
    ).displayableFingerprint().toString()
  },
  async sign(request) { return hex(who(request).privateKey.sign(bytes(request.message))) },
  async verify(request) { return publicKey(request.public).verify(bytes(request.message), bytes(request.signature)) },
  async cost(request) { return cost(request.rounds, bytes(request.plaintext)) },
}

// Microseconds for one operation, averaged over a round; used by tests/bench/e2ee_cost.py.
async function cost(rounds, plaintext) {
  const measure = async (act) => {
    const begin = process.hrtime.bigint()
    for (let round = 0; round < rounds; round++) await act(round)
    return Number(process.hrtime.bigint() - begin) / 1000 / rounds
  }
  const alice = new Person(1)
  const bob = new Person(2)
  const signed = await bob.signedPreKey()
  const bundles = []
  for (let round = 0; round < rounds; round++) {
    const one = await bob.preKey()
    bundles.push({
      registration_id: 2, identity: publicHex(bob.privateKey.getPublicKey()), signed_prekey_id: signed.id,
      signed_prekey: signed.public, signature: signed.signature, prekey_id: one.id, prekey: one.public })
  }
  const now = new Date()
  const times = {}
  times.start = await measure((round) => alice.start(`bob${round}`, bundles[round], now))
  const first = []
  for (let round = 0; round < rounds; round++) first.push((await alice.encrypt(`bob${round}`, plaintext, now)).serialize())
  times.accept = await measure((round) => bob.decrypt(`alice${round}`, 'pkmsg', first[round]))
  const reply = await bob.encrypt('alice0', plaintext, now)
  await alice.decrypt('bob0', 'msg', reply.serialize())
  const sealed = []
  times.seal = await measure(async () => { sealed.push((await alice.encrypt('bob0', plaintext, now)).serialize()) })
  times.open = await measure((round) => bob.decrypt('alice0', 'msg', sealed[round]))
  const turns = await measure(async (round) => {
    const [from, to, nameOfTo, nameOfFrom] = round % 2 ? [alice, bob, 'bob0', 'alice0'] : [bob, alice, 'alice0', 'bob0']
    await to.decrypt(nameOfFrom, 'msg', (await from.encrypt(nameOfTo, plaintext, now)).serialize())
  })
  times.turn = turns
  return times
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
for await (const line of lines) {
  let answer
  try {
    const request = JSON.parse(line)
    if (!Object.hasOwn(operations, request.op)) throw new Error(`no operation ${request.op}`)
    answer = { ok: await operations[request.op](request) }
  } catch (error) {
    answer = { error: { name: error.code === undefined ? error.name : signal.ErrorCode[error.code], message: error.message } }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
