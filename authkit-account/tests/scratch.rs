#![allow(clippy::all)]
use std::sync::Arc; use std::time::Duration;
use authkit_account::*; use authkit_core::*; use authkit_store_memory::MemoryStore; use authkit_session::Sessions; use authkit_testkit::*;
use serde_json::{json, Value as J};

#[derive(Default)] struct P; struct V;
#[derive(serde::Deserialize, schemars::JsonSchema)] struct R { identifier: Option<String>, password: String }
impl CredentialVerifier for V { type Begin=(); type State=(); type Response=R;
 fn method(&self)->MethodId{MethodId::from_static("password")}
 fn hint<'r>(&self,r:&'r R)->Option<&'r str>{r.identifier.as_deref()}
 async fn begin(&self,_:&mut StepContext<'_>,_:Option<()>)->Result<Prompt<()>,AuthError>{Err((&authkit_core::codes::UNKNOWN_METHOD).into())}
 async fn verify(&self,cx:&mut StepContext<'_>,_:Option<()>,r:R)->Result<Verdict,AuthError>{
  let id=cx.identifier.cloned().ok_or(AuthError::new(&authkit_core::codes::REJECTED))?;
  let p=cx.find_principal(&id).await?.ok_or(AuthError::new(&authkit_core::codes::REJECTED))?;
  if r.password!="right"{return Err(AuthError::new(&authkit_core::codes::REJECTED))}
  let e=Evidence::new(self.method(),Factors::KNOWLEDGE,cx.now(),p.epoch); Ok(Verdict::Proven{principal:p,evidence:e}) }
 fn apply(&self,cx:&RequestContext,p:&Principal,_:&Effect,b:&mut Batch)->Result<(),AuthError>{ b.add_enrolment(cx,p,Ability::new(self.method(),Factors::KNOWLEDGE)); Ok(())}
}
impl Enroller for V { type Begin=(); type State=(); type Response=R;
 fn method(&self)->MethodId{MethodId::from_static("password")}
 async fn begin(&self,_:&mut StepContext<'_>,_:Option<()>)->Result<Prompt<()>,AuthError>{Err((&authkit_core::codes::UNKNOWN_METHOD).into())}
 async fn confirm(&self,_:&mut StepContext<'_>,_:Option<()>,r:R)->Result<Effect,AuthError>{ if r.password.len()<3 {return Err(AuthError::new(&authkit_core::codes::INVALID_INPUT).field("password","short"))} Effect::new(MethodId::from_static("password"),&()) }
}
impl Plugin for P { fn manifest(&self)->Manifest{Manifest::new("p","1")} fn register(&self,r:&mut Registrar<'_>)->Result<(),Problem>{ let v=Arc::new(V); r.verifier(v.clone()); r.enroller(v); Ok(()) } }

struct W { auth: AuthManager, clock: TestClock, admin: Arc<AccountAdmin>, store: Arc<Counted> }
async fn world(a: Accounts) -> W {
 let clock=TestClock::default();
 let store = Arc::new(Counted::new(MemoryStore::new()));
 let auth=AuthManager::builder().public_url("https://a.example").keys(KeyRing::new([std::array::from_fn(|i|(i*7) as u8)]).unwrap()).shared_store(store.clone()).clock(clock.clone()).plugin(a).plugin(Sessions::opaque()).plugin(P).build().unwrap();
 auth.migrate().await.unwrap();
 let admin=auth.capability::<AccountAdmin>().unwrap();
 W{auth,clock,admin,store}
}
impl W {
 fn cx(&self)->RequestContext{self.auth.request(Client::default())}
 async fn call(&self,path:&str,input:J,tok:Option<&str>)->(u16,J,Option<String>){
  let op=self.auth.operations().iter().find(|o|o.path==path).unwrap();
  let cx=self.cx();
  let session=match tok{Some(t)=>cx.authenticate(t).await.unwrap(),None=>None};
  match op.call(Call{cx,session,input,path:vec![]}).await{
   Ok(r)=>{ let t=match &r.session{SessionChange::Start(t)=>Some(t.access.expose().to_owned()),_=>None}; (r.status,r.body.unwrap_or_default(),t)}
   Err(e)=>(e.code().class.status(),json!({"code":e.code().code,"fields":e.fields(),"why":e.internal()}),None)}
 }
}
#[tokio::test] async fn flow(){
 let w=world(Accounts::default()).await;
 let r=w.call("/auth/signup",json!({"identifier":" Bob@Example.com","password":"right"}),None).await; println!("{r:?}"); assert_eq!(r.0,201);
 let r=w.call("/auth/signup",json!({"identifier":"bob@example.com","password":"right"}),None).await; println!("{r:?}"); assert_eq!(r.0,409);
 let r=w.call("/auth/signup",json!({"identifier":"bob@example.com","password":"r"}),None).await; println!("{r:?}"); assert_eq!(r.0,400);
 let r=w.call("/auth/signup",json!({"identifier":"bob","password":"r"}),None).await; println!("{r:?}"); assert_eq!(r.0,400);
 let r=w.call("/auth/signup",json!({"password":"r"}),None).await; println!("{r:?}"); assert_eq!(r.0,400);
 let r=w.call("/auth/login",json!({"identifier":"BOB@example.com","password":"right"}),None).await; println!("{r:?}"); assert_eq!(r.0,200);
 let tok=r.2.unwrap();
 let r=w.call("/auth/me",json!({}),Some(&tok)).await; println!("{r:?}"); assert_eq!(r.0,200);
 let bob=w.admin.find(&w.cx(),"bob@example.com").await.unwrap().unwrap();
 w.admin.disable(&w.cx(),bob.id).await.unwrap(); w.admin.disable(&w.cx(),bob.id).await.unwrap();
 assert!(w.cx().authenticate(&tok).await.unwrap().is_none());
 assert_eq!(w.call("/auth/login",json!({"identifier":"BOB@example.com","password":"right"}),None).await.0,401);
 w.admin.enable(&w.cx(),bob.id).await.unwrap();
 assert_eq!(w.call("/auth/login",json!({"identifier":"BOB@example.com","password":"right"}),None).await.0,200);
 w.admin.delete(&w.cx(),bob.id).await.unwrap();
 assert_eq!(w.admin.enable(&w.cx(),bob.id).await.unwrap_err().code().code,"account.wrong_status");
 assert_eq!(w.admin.disable(&w.cx(),bob.id).await.unwrap_err().code().code,"account.wrong_status");
 assert_eq!(w.call("/auth/login",json!({"identifier":"BOB@example.com","password":"right"}),None).await.0,401);
 w.clock.advance(Duration::from_secs(29*86400)); w.auth.run_due_jobs().await;
 w.admin.restore(&w.cx(),bob.id).await.unwrap(); w.admin.restore(&w.cx(),bob.id).await.unwrap();
 w.admin.enable(&w.cx(),bob.id).await.unwrap();
 assert_eq!(w.call("/auth/login",json!({"identifier":"BOB@example.com","password":"right"}),None).await.0,200);
 assert_eq!(w.admin.restore(&w.cx(),bob.id).await.unwrap_err().code().code,"account.wrong_status");
 w.admin.delete(&w.cx(),bob.id).await.unwrap();
 w.clock.advance(Duration::from_secs(30*86400)); 
 assert_eq!(w.admin.restore(&w.cx(),bob.id).await.unwrap_err().code().code,"account.wrong_status");
 w.clock.advance(Duration::from_secs(1)); w.auth.run_due_jobs().await;
 assert!(w.admin.find(&w.cx(),"bob@example.com").await.unwrap().is_none());
 assert!(w.admin.identifiers(&w.cx(),bob.id).await.unwrap().is_empty());
 assert_eq!(w.admin.delete(&w.cx(),bob.id).await.unwrap_err().code().code,"core.not_found");
 let r=w.call("/auth/signup",json!({"identifier":"bob@example.com","password":"right"}),None).await; assert_eq!(r.0,201);
 let s=w.admin.seed(&w.cx(),PrincipalKind::Human,"Root@x.example").await.unwrap();
 assert_eq!(w.admin.seed(&w.cx(),PrincipalKind::Human,"root@X.example").await.unwrap().id,s.id);
 println!("{:?}",w.admin.identifiers(&w.cx(),s.id).await.unwrap());
 assert_eq!(w.admin.create(&w.cx(),PrincipalKind::Human,&["n@x.example","root@x.example"]).await.unwrap_err().code().code,"account.identifier_taken");
 assert!(w.admin.find(&w.cx(),"n@x.example").await.unwrap().is_none());
}
#[tokio::test] async fn invited(){
 for d in [Disclosure::Reveal,Disclosure::Conceal] {
 let w=world(Accounts::default().sign_up(SignUpPolicy::Invite).disclosure(d)).await;
 w.admin.create(&w.cx(),PrincipalKind::Human,&["old@x.example"]).await.unwrap();
 let t=w.admin.invite(&w.cx(),None,Duration::from_secs(60)).await.unwrap();
 let r=w.call("/auth/signup",json!({"identifier":"new@x.example","password":"right"}),None).await; println!("{r:?}"); assert_eq!(r.0,403);
 let r=w.call("/auth/signup",json!({"identifier":"old@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}");
 let r=w.call("/auth/signup",json!({"identifier":"new@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}");
 let r=w.call("/auth/signup",json!({"identifier":"new2@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}"); assert_eq!(r.0,403);
 let t=w.admin.invite(&w.cx(),Some("X@x.example"),Duration::from_secs(60)).await.unwrap();
 let r=w.call("/auth/signup",json!({"identifier":"new2@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}"); assert_eq!(r.0,403);
 let r=w.call("/auth/signup",json!({"identifier":"x@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}"); assert!(r.0/100==2);
 let t=w.admin.invite(&w.cx(),None,Duration::from_secs(60)).await.unwrap();
 w.clock.advance(Duration::from_secs(60));
 let r=w.call("/auth/signup",json!({"identifier":"y@x.example","password":"right","invitation":t.expose()}),None).await; println!("{r:?}"); assert_eq!(r.0,403);
 let t=w.admin.invite(&w.cx(),None,Duration::from_secs(60)).await.unwrap();
 let ids:Vec<String>=(0..20).map(|i|format!("r{i}@x.example")).collect();
 let mut ok=0; let rs=futures(&w,&ids,t.expose()).await; for r in rs { if r/100==2 {ok+=1} else {assert_eq!(r,403)} } assert_eq!(ok,1);
 }
 let w=world(Accounts::default().sign_up(SignUpPolicy::Closed)).await;
 let r=w.call("/auth/signup",json!({"identifier":"y@x.example","password":"right"}),None).await; println!("{r:?}"); assert_eq!(r.0,403);
}
async fn futures(w:&W,ids:&[String],t:&str)->Vec<u16>{ let mut v=vec![]; let mut fs:Vec<_>=ids.iter().map(|i|Box::pin(w.call("/auth/signup",json!({"identifier":i,"password":"right","invitation":t}),None))).collect();
 for f in fs.iter_mut(){ let _=std::future::poll_fn(|c|{ std::task::Poll::Ready(std::future::Future::poll(f.as_mut(),c)) }).await; }
 for (n,f) in fs.into_iter().enumerate(){ let _=n; v.push(tokio::time::timeout(Duration::from_secs(5),f).await.unwrap().0);} v }
#[tokio::test] async fn calls(){
 let w=world(Accounts::default()).await;
 w.admin.create(&w.cx(),PrincipalKind::Human,&["old@x.example"]).await.unwrap();
 for i in ["old@x.example","none@x.example"] { let cx=w.cx(); let id=cx.identifier(i).unwrap(); let before=w.store.calls(); cx.find_principal(&id).await.unwrap(); println!("{:?} -> {:?}",before,w.store.calls()); }
}
