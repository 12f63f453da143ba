;; Holds the headers of a response until the first bytes of its body have come.
;;
;; Engines send headers before they have a token, and Envoy's per-try timeout and retries end at the headers. Behind
;; this gate an engine that sends headers and then hangs, dies or streams an error is a failed attempt like any other.
;; An answer in one piece is held until it is whole (up to 256 KiB), as half of it is of no use to anyone.
;;
;; A body that begins with an error inside a 200 becomes a 503, which the route's retry policy knows:
;;   data: {"error"      data:{"error"      event: error      {"error"
;; Comment lines of the event stream (":" …) and blank lines before it are skipped, they are no token.
;; Imports are those of proxy-wasm 0.2.1; exports that would do nothing are left out, each costs a call a request.
(module
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 5)
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 64) ":status")
  (data (i32.const 80) "503")
  (data (i32.const 96) "data:")
  (data (i32.const 112) "event:")
  (data (i32.const 128) "error")
  (data (i32.const 144) "{\"error\"")
  (data (i32.const 160) "content-type")
  (data (i32.const 176) "text/event-stream")
  (func (export "proxy_abi_version_0_2_1"))

  ;; A ring: what the host hands over is read within the same call and never kept.
  (func $malloc (export "malloc") (param $n i32) (result i32) (local $p i32)
    (if (i32.gt_u (i32.add (global.get $heap) (local.get $n)) (i32.const 196000))
      (then (global.set $heap (i32.const 65536))))
    (local.set $p (global.get $heap))
    (global.set $heap (i32.and (i32.add (i32.add (local.get $p) (local.get $n)) (i32.const 7)) (i32.const -8)))
    (local.get $p))

  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))

  ;; Two tables of one bit a stream, by its number modulo 524,288. From 196608: 1 once its headers have gone. From
  ;; 262144: 1 if it is a stream of events. Two streams half a million apart may share their bits; then a later chunk
  ;; is looked at again, which changes nothing.
  (func $cell (param $table i32) (param $ctx i32) (result i32)
    (i32.add (local.get $table) (i32.shr_u (i32.and (local.get $ctx) (i32.const 524287)) (i32.const 3))))
  (func $bit (param $ctx i32) (result i32)
    (i32.shl (i32.const 1) (i32.and (local.get $ctx) (i32.const 7))))
  (func $get (param $table i32) (param $ctx i32) (result i32)
    (i32.and (i32.load8_u (call $cell (local.get $table) (local.get $ctx))) (call $bit (local.get $ctx))))
  (func $set (param $table i32) (param $ctx i32) (param $on i32) (local $at i32)
    (local.set $at (call $cell (local.get $table) (local.get $ctx)))
    (i32.store8 (local.get $at)
      (select
        (i32.or (i32.load8_u (local.get $at)) (call $bit (local.get $ctx)))
        (i32.and (i32.load8_u (local.get $at)) (i32.xor (call $bit (local.get $ctx)) (i32.const 255)))
        (local.get $on))))

  ;; 1 is StopIteration. A response without a body has nothing to wait for.
  (func (export "proxy_on_response_headers") (param $ctx i32) (param $n i32) (param $end i32) (result i32)
    (call $set (i32.const 196608) (local.get $ctx) (i32.const 0))
    (call $set (i32.const 262144) (local.get $ctx) (call $is_events))
    (i32.eqz (local.get $end)))

  (func $is_events (result i32) (local $p i32)
    (if (call $get_header (i32.const 2) (i32.const 160) (i32.const 12) (i32.const 16) (i32.const 20))
      (then (return (i32.const 0))))
    (local.set $p (i32.load (i32.const 16)))
    (i32.eq (i32.const 1)
      (call $begins (local.get $p) (i32.add (local.get $p) (i32.load (i32.const 20))) (i32.const 176) (i32.const 17))))

  ;; Whether the bytes at $at, before $stop, begin with the $n bytes at $word. 2: too few bytes to tell.
  (func $begins (param $at i32) (param $stop i32) (param $word i32) (param $n i32) (result i32) (local $i i32)
    (loop $next
      (if (i32.ge_u (local.get $i) (local.get $n)) (then (return (i32.const 1))))
      (if (i32.ge_u (i32.add (local.get $at) (local.get $i)) (local.get $stop)) (then (return (i32.const 2))))
      (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $i)))
                  (i32.load8_u (i32.add (local.get $word) (local.get $i)))) (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))
    (i32.const 0))

  (func $skip_spaces (param $at i32) (param $stop i32) (result i32)
    (loop $next
      (if (i32.and (i32.lt_u (local.get $at) (local.get $stop))
                   (i32.eq (i32.load8_u (local.get $at)) (i32.const 32)))
        (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $next))))
    (local.get $at))

  ;; 0: content, 1: error, 2: too early to tell.
  (func $verdict (param $at i32) (param $stop i32) (result i32) (local $c i32) (local $r i32)
    (loop $line
      (if (i32.ge_u (local.get $at) (local.get $stop)) (then (return (i32.const 2))))
      (local.set $c (i32.load8_u (local.get $at)))
      ;; blank lines
      (if (i32.or (i32.or (i32.eq (local.get $c) (i32.const 10)) (i32.eq (local.get $c) (i32.const 13)))
                  (i32.eq (local.get $c) (i32.const 32)))
        (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $line)))
      ;; a comment, to the end of its line
      (if (i32.eq (local.get $c) (i32.const 58))
        (then
          (loop $rest
            (if (i32.ge_u (local.get $at) (local.get $stop)) (then (return (i32.const 2))))
            (local.set $c (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $rest (i32.ne (local.get $c) (i32.const 10))))
          (br $line))))
    (local.set $r (call $begins (local.get $at) (local.get $stop) (i32.const 112) (i32.const 6)))
    (if (i32.eq (local.get $r) (i32.const 2)) (then (return (i32.const 2))))
    (if (local.get $r)
      (then
        (local.set $at (call $skip_spaces (i32.add (local.get $at) (i32.const 6)) (local.get $stop)))
        (return (call $begins (local.get $at) (local.get $stop) (i32.const 128) (i32.const 5)))))
    (local.set $r (call $begins (local.get $at) (local.get $stop) (i32.const 96) (i32.const 5)))
    (if (i32.eq (local.get $r) (i32.const 2)) (then (return (i32.const 2))))
    (if (local.get $r)
      (then (local.set $at (call $skip_spaces (i32.add (local.get $at) (i32.const 5)) (local.get $stop)))))
    (call $begins (local.get $at) (local.get $stop) (i32.const 144) (i32.const 8)))

  ;; Whether :status is 2xx. An error status keeps its code, the route judges it by that.
  (func $is_success (result i32)
    (if (call $get_header (i32.const 2) (i32.const 64) (i32.const 7) (i32.const 16) (i32.const 20))
      (then (return (i32.const 0))))
    (i32.and (i32.eq (i32.load (i32.const 20)) (i32.const 3))
             (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 50))))

  (func (export "proxy_on_response_body") (param $ctx i32) (param $len i32) (param $end i32) (result i32)
    (local $p i32) (local $r i32)
    (if (call $get (i32.const 196608) (local.get $ctx)) (then (return (i32.const 0))))
    (if (i32.eqz (local.get $len)) (then (return (i32.eqz (local.get $end)))))
    (if (i32.and (i32.eqz (call $get (i32.const 262144) (local.get $ctx)))
                 (i32.and (i32.eqz (local.get $end)) (i32.lt_u (local.get $len) (i32.const 262144))))
      (then (return (i32.const 1))))
    (if (call $get_buffer (i32.const 1) (i32.const 0) (i32.const 512) (i32.const 16) (i32.const 20))
      (then (call $set (i32.const 196608) (local.get $ctx) (i32.const 1)) (return (i32.const 0))))
    (local.set $p (i32.load (i32.const 16)))
    (local.set $r (call $verdict (local.get $p) (i32.add (local.get $p) (i32.load (i32.const 20)))))
    ;; Too early to tell: wait for more, unless this is all there is, or 512 bytes of comments.
    (if (i32.and (i32.eq (local.get $r) (i32.const 2))
                 (i32.and (i32.eqz (local.get $end)) (i32.lt_u (local.get $len) (i32.const 512))))
      (then (return (i32.const 1))))
    (if (i32.eq (local.get $r) (i32.const 1))
      (then
        (if (call $is_success)
          (then (drop (call $set_header (i32.const 2) (i32.const 64) (i32.const 7) (i32.const 80) (i32.const 3)))))))
    (call $set (i32.const 196608) (local.get $ctx) (i32.const 1))
    (i32.const 0)))
