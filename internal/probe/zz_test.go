package probe
import ("testing";"context";"time";"encoding/json";"fmt";"os"
"github.com/boxdoctor/boxdoctor/internal/facts")
func TestZZ(t *testing.T){
 var keys []facts.Key
 for _,s:=range sections(){ if s.key!=facts.KeyResolve || os.Getenv("R")!="" { keys=append(keys,s.key)} }
 r:=newShell(t,"dash")
 st:=time.Now()
 g,err:=Collect(context.Background(),r,keys,Params{Wanted:[]facts.SyncedFolder{{GuestPath:"/tmp"},{GuestPath:"/nonexist",Owner:"root",Group:"adm"}}},time.Now)
 fmt.Println(time.Since(st),err)
 j,_:=json.MarshalIndent(g,""," ")
 if len(j)>30000 {j=j[:30000]}
 fmt.Println(string(j))
}
