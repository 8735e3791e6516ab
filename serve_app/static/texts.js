// Every text in Korean and English, by `group.key`. Stores name things in English themselves.

export const TEXTS = {};

const TABLE = `
again
added | 담겨 있던 메뉴에 더했어요. | Added to what was in your cart.
button | 다시 주문 | Order again
edit | 바꿔서 담기 | Change it first
later | {price} · 다시 주문 (나중에 결제) | Order again · {price}, pay later
open | 결제하러 가기 | Go and pay it
pay | {price} 결제하고 다시 주문 | Order again · pay {price}
sold-out | 지금 주문할 수 없는 메뉴: {names} | Not to be had at the moment: {names}
title | 지난번처럼 | The same as last time?
unpaid | 이 주문이 아직 결제를 기다려요 | This order still waits for your payment
wait | {name} · 지금 주문하면 {wait} 뒤 | {name} · ready in {wait} if you order now
age
fresh | {n}분 전 접수 | {n} min
late | {n}분 전 접수 · 늦음 | {n} min · late
ready-fresh | {n}분 전 완성 | ready for {n} min
ready-late | {n}분 전 완성 · 안 찾아감 | ready for {n} min · not collected
ready-waiting | {n}분 전 완성 | ready for {n} min
waiting | {n}분 전 접수 · 서두르기 | {n} min · due soon
attempt
ask | 지금 보낼까요? | Shall this be sent now?
cancel | 이 주문을 취소하려고 하셨어요({time}). | You wanted to cancel this order ({time}).
drop | 보내지 않기 | Drop it
dropped | 보내지 않았어요. 주문도 결제도 되지 않았어요. | Dropped. Nothing was ordered, nothing was charged.
earlier | 이전에 | some time ago
looking | 더 보내지 않아요. 접수됐는지 확인하고 있어요… | Not sent any more. Checking whether it had arrived…
maybe-sent | 이미 접수됐을 수도 있어요. 다시 보내도 두 번 처리되지 않아요. | It may have arrived already; sending it again does nothing twice.
not-sent | 아직 보내지 않았어요. | It has not been sent yet.
order | {items}, {price}, 주문하려고 하셨어요({time}). | You meant to order {items} for {price} ({time}).
pay | {price} 결제하려고 하셨어요({time}). | You meant to pay {price} ({time}).
retrying | 아직 답이 없어 다시 보내고 있어요. 두 번 처리되지 않아요. | No answer yet; trying again. It is never done twice.
see | 주문 보기 | See the order
send | 보내기 | Send it
stop | 보내지 않기 | Don’t send
stopped | 더 보내지 않아요. 이미 처리됐다면 이 페이지에 보여요. | Not sent any more. If it was done already, this page shows it.
title | 주문을 확인하는 중 | Confirming your order
too-late | 이미 접수된 주문이에요. 주문 페이지에서 취소할 수 있어요. | That order had already been placed. You can cancel it on its page.
banner
owner | 이 기기에서는 로그인이 없어요. 누구나 점주입니다. | No sign-in on this machine: everybody here is the owner.
staff | 매장 화면 | Staff pages
board
erased | 이름 없음 | No name
new | 새 주문 | New
news | 새 주문: {numbers} | New order: {numbers}
no-store | 이 주소의 매장이 없어요. 매장을 골라 주세요. | There is no store at this address. Choose one:
own | 다른 매장의 보드는 볼 수 없어 이 매장 보드로 왔어요. | That board is another store’s. This is yours.
taken | {number}: 다른 사람이 먼저 처리했어요. 지금 상태: {state} | {number}: somebody else was faster. It is now: {state}
title | 바리스타 보드 | Barista’s board
button
close | 닫기 | Close
complete | 전달 완료 | Handed over
dismiss | 확인 | Got it
more | 더 보기 | Show more
ready | 완성 · 호출 | Ready · call
reject | 거절… | Reject…
save | 저장 | Save
sign-out | 로그아웃 | Sign out
start | 만들기 시작 | Start
by
barista | 바리스타 | by the barista
customer | 손님 | by the customer
owner | 운영자 | by the owner
payment | 결제 서비스 | by payment
store | 매장 | by the store
system | 시간 초과 | by the clock
cancel
button | 주문 취소 | Cancel order
confirm | 취소하기 | Yes, cancel
free | 청구된 금액이 없어요. | Nothing was charged.
keep | 그대로 두기 | Keep it
refund | 결제한 금액은 전부 환불됩니다. | You get all of your money back.
refund-if-charged | 결제가 아직 확인되지 않았어요. 청구됐다면 전부 환불됩니다. | The payment is not confirmed yet. If it was charged, you get all of it back.
title | 이 주문을 취소할까요? | Cancel this order?
card
approve | 승인되는 카드 | Card that is approved
decline | 거절되는 카드 | Card that is declined
flaky | 두 번 실패한 뒤 승인 | Fails twice, then approved
label | 시험용 카드 | Test card
lost_reply | 승인되지만 응답이 사라짐 | Charged, but the reply is lost
note | 모의 결제라 실제 돈은 나가지 않아요. | Simulated: no real money is charged.
slow_4000 | 4초 걸려 승인 | Approved after 4 seconds
unavailable | 결제사 응답 없음 | Provider is unavailable
cart
bar | {n}개 담음 · {price} · 결제로 | {n} in cart · {price} · Check out
empty | 메뉴에서 골라 담아 주세요. | Choose something from the menu.
remove | {name} 빼기 | Remove {name}
total | 합계 | Total
column
amount | 금액 | Amount
approved-at | 승인 시각 | Approved
attempts | 시도 | Attempts
canceled-at | 취소 시각 | Cancelled
customer | 손님 | Customer
items | 메뉴 | Items
number | 번호 | Number
order | 주문 | Order
order-status | 주문 상태 | Order
payment | 결제 | Payment
payment-status | 결제 상태 | Payment
placed-at | 주문 시각 | Placed
reason | 취소 이유 | Reason
store | 매장 | Store
connection
busy | 지금 주문이 몰려 있어요. 곧 다시 보낼게요. | The system is busy. Trying again in a moment.
gave-up | 2분 동안 답이 없어 그만뒀어요. 됐는지 보고 다시 눌러 주세요. | No answer for two minutes. See whether it was done, and press again if not.
lost | 연결이 끊겼어요. 다시 잇는 중… | Connection lost. Trying again…
offline | 오프라인이에요. 연결되면 다시 이어져요. | You are offline. The page goes on once you are connected.
too-many | 요청이 너무 많았어요. 잠시 뒤 다시 보낼게요. | Too many requests. Trying again in a moment.
counter
at-most | 최대 {n}건 | at most {n}
capacity | 동시에 받을 주문 수 | Orders at once
capacity-note | 비우면 제한이 없어요. 찰 때까지만 주문을 받습니다. | Empty: no limit. When reached, no new orders are taken.
open | 주문 받는 중 | Taking orders
saved | 저장했어요. | Saved.
sold-out | {name}: 품절 | {name}: sold out
unsaved | 답이 없어 저장되지 않은 것으로 봤어요. 연결을 확인하고 다시 눌러 주세요. | Not saved as far as is known: no answer came. Check the connection and press again.
title | 매장과 메뉴 | Store and menu
event
CustomerErased | 손님 정보 삭제 | Customer’s data erased
OrderCanceled | 주문 취소 | Order cancelled
OrderPlaced | 주문 접수 | Order placed
PaymentApproved | 결제 승인 | Payment approved
PaymentCanceled | 결제 취소 · 환불 | Payment refunded
PaymentDeclined | 결제 거절 | Payment declined
PaymentRequested | 결제 요청 | Payment requested
PickedUp | 픽업 완료 | Picked up
PickupCanceled | 매장 접수 취소 | Store’s ticket cancelled
PickupReady | 준비 완료 | Ready
PickupRejected | 매장에서 거절 | Rejected by the store
PickupStarted | 매장에서 접수 | Accepted by the store
PreparationStarted | 만들기 시작 | Preparation started
filter
all | 전체 | All
apply | 찾기 | Filter
clear | 지우기 | Clear
customer | 손님 ID | Customer id
order | 주문 ID | Order id
headline
ACCEPTED | 매장에서 접수했어요 | The store has your order
CANCELED | 취소된 주문이에요 | This order is cancelled
CANCELING | 취소하고 있어요 | Cancelling your order
DECLINED | 카드가 거절되었어요 | Your card was declined
PAID | 결제됐어요. 매장에 전하는 중 | Paid. Telling the store
PAYING | 결제를 확인하고 있어요 | Confirming your payment
PICKED_UP | 맛있게 드세요! | Enjoy!
PLACED | 결제를 기다리고 있어요 | Waiting for your payment
PREPARING | 만들고 있어요 | Being prepared
READY | 준비됐어요! | It’s ready!
live
live | 실시간 | Live
reconnecting | 다시 연결 중… | Reconnecting…
lost
title | 여기에는 아무것도 없어요 | There is nothing here
menu
less | {name} 하나 빼기 | One {name} less
more | {name} 담기 | Add {name}
most | 한 번에 {n}개까지 | {n} at most
sold-out | 품절 | Sold out
money
never | 청구된 금액이 없어요. | Nothing was charged.
refunded | 전액 환불됐어요. | Refunded in full.
refunded-if-charged | 결제를 취소했어요. 청구된 금액이 있었다면 전액 환불됐어요. | The payment was cancelled. Whatever was charged is refunded in full.
refunding | 환불하고 있어요… | Your refund is on its way…
refunding-if-charged | 결제를 취소하고 있어요. 청구됐다면 전액 환불돼요. | The payment is being cancelled. If it was charged, you get all of it back.
my
none | 아직 주문이 없어요. | No orders yet.
name
Americano | 아메리카노
Bagel | 베이글
Cappuccino | 카푸치노
Cheesecake | 치즈케이크
Citron Tea | 유자차
Cold Brew | 콜드브루
Croissant | 크루아상
Earl Grey | 얼그레이
Espresso | 에스프레소
Gangnam | 강남점
Green Tea Latte | 녹차 라테
Jeju | 제주점
Jeju Tangerine Ade | 제주 감귤 에이드
Latte | 라테
Mocha | 모카
Pangyo | 판교점
Sweet Potato Latte | 고구마 라테
Vanilla Latte | 바닐라 라테
nav
details | 주문 내역 | Order details
label | 둘러보기 | Main
my | 내 주문 | My orders
order | 주문하기 | Order
payments | 결제 | Payments
skip | 본문으로 | Skip to content
one
any-moment | 이제 곧 준비돼요 | It should be ready any moment
come | 카운터에서 번호를 말씀해 주세요. | Come to the counter and say your number.
history | 주문 기록 | What has happened
items | 주문한 메뉴 | Your order
late | 예상({time})보다 늦어지고 있어요 | It takes longer than promised ({time})
loading | 주문을 불러오는 중… | Loading your order…
missing | 이 브라우저에서 한 주문 중에 이런 주문이 없어요. | This browser has placed no such order.
number | 픽업 번호 | Your number
pay-before | {time}까지 결제해 주세요. 지나면 취소돼요. | Pay by {time}, or the order is cancelled.
progress | 진행 상황 | Progress
ready-about | {time}쯤 준비돼요 | Ready at about {time}
order
cart | 담은 메뉴 | Your cart
check | 다시 확인해 주세요: {fields}. 주문도 결제도 되지 않았어요. | Please check: {fields}. Nothing was ordered or charged.
loading | 메뉴를 불러오는 중… | Loading the menu…
menu | 메뉴 | Menu
name | 부를 이름 | Name
name-missing | 이름을 적어 주세요. | Please tell us your name.
name-wrong | 부를 수 있는 이름을 적어 주세요. | Please give a name that can be called.
nothing-lasts | 이 브라우저가 아무것도 저장하지 못해 주문 번호를 보여 드릴 수 없어요. 쿠키와 사이트 데이터를 허용하고 새로 고쳐 주세요. 주문도 결제도 되지 않았어요. | This browser keeps nothing for this site, so you could not see your order’s number. Allow cookies and site data, then reload. Nothing was ordered or charged.
place | {price} 결제하고 주문 | Pay {price} and order
place-later | {price} 주문하고 나중에 결제 | Order for {price}, pay later
placing | 주문하는 중… | Placing your order…
store | 어느 매장에서 찾으세요? | Where do you pick it up?
tel | 전화번호 | Phone number
tel-missing | 전화번호를 적어 주세요. | Please tell us your phone number.
tel-wrong | 전화번호가 맞는지 확인해 주세요. | This does not look like a phone number.
title | 미리 주문하고, 번호가 불리면 찾아가세요 | Order ahead, pick it up when your number is called
pay
again | {price} 다시 결제 | Pay {price} again
button | {price} 결제 | Pay {price}
declined | 청구되지 않았어요. 다른 카드로 결제해 주세요. | Nothing was charged. Please try another card.
later | 나중에 결제 | Pay later
later-note | 결제하면 만들기 시작해요. | The store begins once you have paid.
now | 지금 카드로 | Card, now
paying | 결제하는 중… | Paying…
sold-out | 지금 품절이라 결제하지 않았어요: {names}. | Sold out at the moment: {names}. Nothing was charged.
under-way | 결제를 확인하고 있어요. 두 번 청구되지 않아요. | Waiting for the provider. You are never charged twice.
payment
APPROVED | 결제됨 | Paid
CANCELED | 환불됨 | Refunded
DECLINED | 거절됨 | Declined
NONE | 결제 전 | Not paid yet
PENDING | 확인 중 | Pending
problem
forbidden | 이 계정으로는 할 수 없어요. | This sign-in may not do that.
foreign_customer | 시간이 오래 지났어요. 다시 주문해 주세요. | That was too long ago. Please order again.
idempotency_mismatch | 이 주문은 이미 접수됐어요. ‘내 주문’에서 확인해 주세요. | This order has been placed before. Look at “My orders”.
invalid_cursor | 이 목록의 페이지가 더 이상 없어요. 처음부터 봐 주세요. | This page of the list is no longer there. Begin at the first one.
invalid_request | 입력한 내용을 다시 확인해 주세요. | Please check what you entered.
no_token | 토큰이 아니에요. siren token이 출력한 글자를 전부 복사해 붙여 넣어 주세요. | This is no token. Paste the whole text that siren token has printed.
no_staff | 직원이나 점주의 토큰이 아니에요. | This is not a token of staff or owner.
not_cancelable | 이미 만들기 시작했거나 끝난 주문이라 취소할 수 없어요. | The store has begun with it, or it is over: it cannot be cancelled any more.
not_cancelable-CANCELED | 이미 취소된 주문이에요. | It has been cancelled already.
not_cancelable-CANCELING | 이미 취소하고 있어요. | It is being cancelled already.
not_cancelable-PICKED_UP | 이미 찾아간 주문이라 취소할 수 없어요. | It has been picked up; it cannot be cancelled any more.
not_cancelable-PREPARING | 이미 만들고 있어 취소할 수 없어요. | It is being prepared; it cannot be cancelled any more.
not_cancelable-READY | 이미 준비되어 취소할 수 없어요. | It is ready; it cannot be cancelled any more.
not_payable | 지금은 결제할 수 없는 주문이에요. | This order cannot be paid now.
order_not_found | 이런 주문이 없어요. | There is no such order.
out_of_turn | 그사이 다른 상태가 되었어요. | It has moved on in the meantime.
payment_canceled | 주문과 결제가 취소됐어요. | Order and payment were cancelled.
payment_in_progress | 이미 결제가 진행 중이에요. | A payment is under way already.
payment_not_found | 이런 결제가 없어요. | There is no such payment.
payment_timeout | 결제 시간이 지났어요. | The time to pay is over.
price_changed | 가격이 {before}에서 {price}(으)로 바뀌었어요. 주문도 결제도 되지 않았어요. 괜찮으면 다시 주문해 주세요. | The price has changed from {before} to {price}. Nothing was ordered or charged. Order again if that is fine.
reserved_reason | 이 이유는 쓸 수 없어요. 다른 말로 적어 주세요. | This reason cannot be used. Please put it in other words.
sold_out | 방금 품절됐어요: {names}. 주문도 결제도 되지 않았어요. | Just sold out: {names}. Nothing was ordered or charged.
store_not_found | 이런 매장이 없어요. | There is no such store.
store_closed | 방금 마감했어요. 결제되지 않았어요. | The store has just closed. Nothing was charged.
store_full | 매장이 너무 바빠요. 결제되지 않았어요. | The store is too busy now. Nothing was charged.
too_many_attempts | 이 주문의 결제를 너무 여러 번 시도했어요. 새로 주문해 주세요. | Too many payments of this order have failed. Please place a new one.
unknown_menu_item | 이제 메뉴에 없어요: {names}. 주문도 결제도 되지 않았어요. | No longer on the menu: {names}. Nothing was ordered or charged.
unauthenticated | 로그인이 만료됐거나 올바르지 않아요. | The sign-in is not valid, or has expired.
reason
closing_soon | 곧 마감합니다 | Closing soon
customer_request | 손님이 취소함 | Cancelled by the customer
ingredient_out | 재료가 떨어졌어요 | An ingredient ran out
machine_broken | 기계가 고장 났어요 | The machine is broken
not_picked_up | 찾아가지 않음 | Not picked up
owner_request | 운영자가 취소함 | Cancelled by the owner
payment_timeout | 결제 시간이 지남 | Not paid in time
rejected | 매장에서 거절함 | The store gave it up
sold_out | 품절 | Sold out
store_closed | 매장 마감 | The store is closed
store_full | 매장이 너무 바쁨 | The store is too busy
store_rejected | 매장에서 거절함 | The store gave it up
unknown_store | 매장을 찾을 수 없음 | The store is not known
reject
confirm | 거절하고 환불 | Reject and refund
keep | 돌아가기 | Go back
note | 전액 환불되고 손님에게 이유가 보여요. 되돌릴 수 없어요. | The customer is refunded and sees why. There is no undo.
other | 다른 이유 | Another reason
text | 다른 이유 (손님에게 보임) | Other reason (the customer sees it)
title | {number} 주문을 거절할까요? | Reject {number}?
why | 이유 | Why?
sign-in
button | 로그인 | Sign in
busy | 지금은 서버가 바빠요. 잠시 뒤 다시 로그인해 주세요. | The server is busy. Sign in again in a moment.
command | 이렇게 만들 수 있어요: | Make one with
no-answer | 서버가 답하지 않아요. 오프라인일 수 있어요: 연결을 확인하고 다시 로그인해 주세요. | There is no answer. You may be offline: check the connection, then sign in again.
note | 직원과 점주만 로그인해요. | Only staff and owner sign in.
own-board | {store} 보드로 | To the board of {store}
owners | {store} 직원으로 로그인되어 있어요. 그 페이지는 점주만 볼 수 있어요. | You are signed in as staff of {store}. That page is the owner’s.
title | 매장 로그인 | Staff sign-in
token | 토큰 | Token
sound
off | 새 주문 알림음: 꺼짐 | New-order sound: off
on | 새 주문 알림음: 켜짐 | New-order sound: on
waits | 화면을 누르면 알림음이 켜져요 | Tap once to hear new orders
status
ACCEPTED | 접수됨 | Accepted
CANCELED | 취소됨 | Cancelled
CANCELING | 취소 중 | Cancelling
PAID | 결제됨 | Paid
PICKED_UP | 픽업 완료 | Picked up
PLACED | 결제 대기 | To be paid
PREPARING | 만드는 중 | Preparing
READY | 준비 완료 | Ready
REJECTED | 거절됨 | Rejected
step
accepted | 접수 | Accepted
canceled | 취소 | Cancelled
paid | 결제 | Paid
picked_up | 픽업 | Picked up
placed | 주문 | Placed
preparing | 만드는 중 | Preparing
ready | 준비 완료 | Ready
store
closed | 지금은 주문을 받지 않아요 | Not taking orders
open | 주문 받는 중 | Open
queue | 대기 {n}건 | {n} waiting
wait | 약 {wait} | about {wait}
story
set-aside | 따로 빼 두었어요: 고쳐야 이어져요 | Set aside: something must be mended
stuck | 진행되어야 하는데 멈춰 있어요 | It should have gone on
took | {time} 걸림 | took {time}
tries | {n}번 시도 | tried {n} times
until | {time}까지 | until {time}
untold | 기록의 나머지를 읽을 수 없어요. | The rest of its history cannot be read.
waits | 기다리는 중: {what} | Waits for {what}
table
first | 첫 페이지로 | To the first page
newer | ← 더 최근 | ← Newer
no-choice | “{value}”은(는) 고를 수 있는 값이 아니에요. | “{value}” is none of the choices.
none | 찾은 것이 없어요. | Nothing found.
older | 더 이전 → | Older →
one | 자세히 | Details
zones | 시각은 매장 현지 시각이에요: {zones} | Times are those of the store: {zones}
unit
milliseconds | {n}ms | {n} ms
minutes | {n}분 | {n} min
seconds | {n}초 | {n} s
visit
ended | 오래되어 이전 주문은 더 볼 수 없어요. | It has been a while: your earlier orders can no longer be shown here.
wait
AuthorizePayment | 결제 승인 | the payment’s answer
BaristaBegins | 바리스타가 시작하기 | the barista, to begin
BaristaIsDone | 바리스타가 완성하기 | the barista, to finish it
CancelPayment | 환불 | the refund
CancelTicket | 매장 접수 취소 | the store, to undo its ticket
CustomerPays | 손님의 결제 | the customer, to pay
CustomerPicksUp | 손님의 픽업 | the customer, to pick it up
Load | 읽을 수 없는 기록의 복구 | its history, which cannot be read, to be mended
OpenTicket | 매장 접수 | the store, to take it
UpdateTicket | 매장 표의 갱신 | the store’s ticket, to follow
View | 주문 상세의 갱신 | its row of the order details, to follow
`;

let group = "";
for (const row of TABLE.trim().split("\n")) {
	const [key, ...texts] = row.split(" | ");
	if (texts.length) TEXTS[`${group}.${key}`] = texts;
	else group = key;
}
