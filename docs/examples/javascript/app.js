// An application that logs people in by OpenID Connect: docs/oidc.md walks through
// it. It needs to know the issuer and its own id and secret; everything else it finds
// out from the issuer.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import * as oidc from 'openid-client'

const { ISSUER = 'http://localhost:8080', ORIGIN = 'http://localhost:3000', CLIENT_ID, CLIENT_SECRET } = process.env
if (!CLIENT_ID || !CLIENT_SECRET) throw new Error('set CLIENT_ID and CLIENT_SECRET to what the registration of the application answered')

// Plain http is for this machine only: without this option the library refuses it.
const options = ISSUER.startsWith('http://localhost') ? { execute: [oidc.allowInsecureRequests] } : undefined
const issuer = await oidc.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, oidc.ClientSecretBasic(CLIENT_SECRET), options)

const begun = new Map() // attempts to log in that wait for their answer
const logins = new Map() // who is logged in

const pages = {
  // Says who is logged in.
  async '/'(request, response) {
    const login = logins.get(cookie(request, 'login'))
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(login
      ? `<p>You are logged in.</p><pre>${escape(JSON.stringify(login.claims, null, 2))}</pre><a href="/logout">Log out</a>\n`
      : '<a href="/login">Log in</a>\n')
  },

  // Sends the browser to the issuer. The state binds the answer to this browser, the
  // nonce the ID token to this attempt, and the verifier (PKCE) the code to us.
  async '/login'(request, response) {
    const attempt = { state: randomUUID(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() }
    begun.set(attempt.state, attempt)
    remember(response, 'attempt', attempt.state)
    redirect(response, oidc.buildAuthorizationUrl(issuer, {
      redirect_uri: `${ORIGIN}/callback`,
      scope: 'openid profile email',
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
    }))
  },

  // Is where the issuer sends the browser back to, with a code or an error. The library
  // exchanges the code for tokens and checks what they say.
  async '/callback'(request, response, url) {
    const id = cookie(request, 'attempt')
    const attempt = begun.get(id)
    if (!begun.delete(id)) throw new Error('this browser did not begin the login: try again')
    const tokens = await oidc.authorizationCodeGrant(issuer, url, {
      expectedState: attempt.state,
      expectedNonce: attempt.nonce,
      pkceCodeVerifier: attempt.verifier,
      idTokenExpected: true,
    })
    const claims = await oidc.fetchUserInfo(issuer, tokens.access_token, tokens.claims().sub)
    const login = randomUUID()
    logins.set(login, { idToken: tokens.id_token, claims })
    remember(response, 'login', login)
    redirect(response, '/')
  },

  // Ends the login here, and the session at the issuer.
  async '/logout'(request, response) {
    const id = cookie(request, 'login')
    const login = logins.get(id)
    logins.delete(id)
    redirect(response, login
      ? oidc.buildEndSessionUrl(issuer, { id_token_hint: login.idToken, post_logout_redirect_uri: `${ORIGIN}/` })
      : '/')
  },
}

function remember(response, name, value) {
  const secure = ORIGIN.startsWith('https://') ? '; Secure' : ''
  response.setHeader('Set-Cookie', `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}`)
}

function cookie(request, name) {
  return request.headers.cookie?.split('; ').find((c) => c.startsWith(`${name}=`))?.slice(name.length + 1)
}

function redirect(response, to) {
  response.writeHead(303, { Location: String(to) }).end()
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, ORIGIN)
  const page = Object.hasOwn(pages, url.pathname) && request.method === 'GET' && pages[url.pathname]
  try {
    await (page ? page(request, response, url) : response.writeHead(404).end('There is nothing here.\n'))
  } catch (error) {
    response.writeHead(400, { 'Content-Type': 'text/plain' }).end(`${error.error ?? error.message}: ${error.error_description ?? ''}\n`)
  }
})
const { hostname, port } = new URL(ORIGIN)
server.listen(port, hostname, () => console.log('The application is at', ORIGIN))
