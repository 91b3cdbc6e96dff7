// Runs the tests of node-postgres that talk to a server: those of pg, a file each, and those of pg-pool
// and pg-cursor. Prints `PASSED name` or `FAILED name`.
'use strict'
const { spawnSync } = require('child_process')
const fs = require('fs')
const path = require('path')

const source = process.argv[2]
const packages = path.join(source, 'packages')

function node(folder, words) {
  const options = { cwd: folder, encoding: 'utf8', timeout: 60000 }
  const done = spawnSync(process.execPath, words, options)
  console.log(`${done.stdout}${done.stderr}`)
  return done
}

function tell(name, passed) {
  console.log(`\n${passed ? 'PASSED' : 'FAILED'} ${name}`)
}

function files(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name)
    return entry.isDirectory() ? files(name) : name.endsWith('-tests.js') ? [name] : []
  })
}

const pg = path.join(packages, 'pg')
// A machine that builds beside it takes more than five seconds for some.
const suite = path.join(pg, 'test/suite.js')
fs.writeFileSync(suite, fs.readFileSync(suite, 'utf8').replace('this.timeout = 5000', 'this.timeout = 60000'))
node(pg, ['script/create-test-tables.js'])
for (const file of files(path.join(pg, 'test/integration')).sort()) {
  const name = path.relative(pg, file)
  tell(`pg::${name}`, node(pg, [name]).status === 0)
}

const mocha = require.resolve('mocha/bin/mocha.js')
for (const name of ['pg-pool', 'pg-cursor']) {
  const folder = path.join(packages, name)
  const done = node(folder, [mocha, '--no-config', '--exit', '--timeout', '20000', '--reporter', 'tap', 'test/*.js'])
  for (const line of done.stdout.split('\n')) {
    const match = line.match(/^(not )?ok \d+ (.*?)( # SKIP.*)?$/)
    if (match && !match[3]) {
      tell(`${name}::${match[2]}`, !match[1])
    }
  }
}
